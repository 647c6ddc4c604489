"""The hook that plays the game, and what it is made of."""

from mmanon._game import enter_game

enter_game(__name__)

from .hooks import *  # noqa: F401,F403

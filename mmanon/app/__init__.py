from .kept_files import KeptFiles
from .methods import METHODS, Method, own_method
from .recognition import PeopleNamer

__all__ = ['METHODS', 'KeptFiles', 'Method', 'PeopleNamer', 'own_method']

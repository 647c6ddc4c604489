from .kept_files import KeptFiles
from .methods import METHODS, Method, methods_here, named_methods, own_method
from .recognition import PeopleNamer

__all__ = [
    'METHODS',
    'KeptFiles',
    'Method',
    'PeopleNamer',
    'methods_here',
    'named_methods',
    'own_method',
]

"""Reads registered classes and their arguments from the source of mmanon.

Importing the classes would take seconds, and a check of a config does not need them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

__all__ = ['arguments_by_name']


@lru_cache
def arguments_by_name(registry: str) -> dict[str, frozenset[str] | None]:
    """Return the classes of a registry of :mod:`mmanon.registry`, with arguments.

    Args:
        registry (str): ``'MODELS'`` or ``'DATASETS'``; its classes are in the package
            of that name.

    Returns:
        dict: For each class name the names of its arguments, or None if it takes
        ``**kwargs``.
    """
    classes: dict[str, ast.ClassDef] = {}
    for path in sorted((Path(__file__).parents[2] / registry.lower()).rglob('*.py')):
        tree = ast.parse(path.read_text(encoding='utf-8'))
        classes |= {
            node.name: node for node in tree.body if isinstance(node, ast.ClassDef)
        }
    return {
        name: _arguments(name, classes)
        for name, node in classes.items()
        if registry in _registered_in(node)
    }


def _registered_in(node: ast.ClassDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(call, ast.Attribute) and call.attr == 'register_module':
            yield ast.unparse(call.value)


def _arguments(name: str, classes: dict[str, ast.ClassDef]) -> frozenset[str] | None:
    if name not in classes:
        return None  # a class of another package
    node = classes[name]
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == '__init__':
            given = statement.args
            if given.kwarg is None:
                named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
                return frozenset(argument.arg for argument in named[1:])
            return None
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
    return _arguments(bases[0], classes) if bases else None

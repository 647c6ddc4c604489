"""Lets a recognizer answer a study: a baseline, not a substitute for people."""

from typing import Any

import numpy as np
import torch

from mmanon.evaluation.functional.embeddings import cosines, unit_embeddings
from mmanon.utils.inline_images import decode_image_url

from .build import ANSWERS_FORMAT

__all__ = ['answer_by_machine']

_BATCH = 32


def answer_by_machine(
    study: dict[str, Any], recognizer: Any, name: str
) -> dict[str, Any]:
    """Let a recognizer answer the questions, from the same images as participants.

    Like the participants, it knows that half of the pairs show one person: it calls the
    more similar half the same person. It names a face by the person with the most
    similar reference image.

    Args:
        study (dict): The result of :func:`read_page`.
        recognizer (nn.Module): A module with ``embed``, such as
            :class:`FaceClassifier`, and optionally ``embed_modified`` for modified
            faces.
        name (str): Name of the baseline.

    Returns:
        dict: Content of a file of answers with a machine as respondent.

    Raises:
        ValueError: If embeddings are not finite.
    """
    asked = {
        picture for question in study['questions'] for picture in question['images']
    }
    embedded = _embed(study['images'], asked, recognizer)

    def alike(first: str, second: str) -> float:
        return float(cosines(embedded[first] @ embedded[second]))

    answers = {}
    pairs = [pair for pair in study['questions'] if pair['kind'] == 'pairs']
    scores = [alike(*pair['images']) for pair in pairs]
    ranked = np.argsort(np.negative(scores), kind='stable')
    for rank, place in enumerate(ranked):
        same = rank < len(pairs) // 2
        answers[pairs[place]['id']] = 'same' if same else 'different'
    for question in study['questions']:
        if question['kind'] == 'names':
            (face,) = question['images']
            best = [
                max(alike(face, picture) for picture in choice['images'])
                for choice in question['choices']
            ]
            chosen = question['choices'][int(np.argmax(best))]
            answers[question['id']] = chosen['answer']
    return dict(
        format=ANSWERS_FORMAT,
        study=study['id'],
        respondent=dict(kind='machine', id=name),
        answers=[
            dict(question=question['id'], answer=answers[question['id']])
            for question in study['questions']
        ],
    )


@torch.no_grad()
def _embed(
    images: dict[str, str], modified: set[str], recognizer: Any
) -> dict[str, np.ndarray]:
    """Compute the embedding of length 1, (E,), of each image."""
    kinds = (
        ([name for name in images if name not in modified], recognizer.embed),
        (
            [name for name in images if name in modified],
            getattr(recognizer, 'embed_modified', recognizer.embed),
        ),
    )
    found: dict[str, np.ndarray] = {}
    for names, embed in kinds:
        for start in range(0, len(names), _BATCH):
            some = names[start : start + _BATCH]
            pixels = np.stack([decode_image_url(images[name]) for name in some])
            faces = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
            vectors = unit_embeddings(embed(faces), 'embeddings of the pictures')
            found |= dict(zip(some, vectors, strict=True))
    return found

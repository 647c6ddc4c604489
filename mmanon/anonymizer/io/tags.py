"""Keep metadata of a video about people, places and devices, or remove and list it."""

from __future__ import annotations

from collections.abc import Sequence

import av

__all__ = ['keep_or_remove_tags']

# Tags about the container, which say nothing about people.
_HARMLESS = {
    *('major_brand', 'minor_version', 'compatible_brands', 'encoder', 'duration'),
    *('handler_name', 'vendor_id', 'language', 'rotate'),
}


def keep_or_remove_tags(
    source: av.container.InputContainer,
    output: av.container.OutputContainer,
    pairs: Sequence[tuple[av.stream.Stream, av.stream.Stream]],
    keep: bool,
) -> list[str]:
    """Copy the language and purpose of streams, and on request all other tags.

    Args:
        source, output: The files.
        pairs: Each stream of the source that is kept, with that of the output.
        keep (bool): Whether titles, places, devices, dates and chapters are kept.

    Returns:
        list[str]: Descriptions of what was removed.
    """
    tags = {key: value for key, value in source.metadata.items() if value}
    for theirs, ours in pairs:
        ours.disposition = theirs.disposition
        if theirs.language:
            ours.metadata['language'] = theirs.language
        if keep:
            ours.metadata.update(theirs.metadata)
        else:
            tags.update(
                (f'stream {theirs.index} {key}', value)
                for key, value in theirs.metadata.items()
                if key.lower() not in _HARMLESS
            )
    if keep:
        output.metadata.update(source.metadata)
        output.set_chapters(source.chapters())
        return []
    removed = [
        f'tag removed: {key} = {value}'
        for key, value in tags.items()
        if key.lower() not in _HARMLESS
    ]
    if source.chapters():
        removed.append(f'{len(source.chapters())} chapter marks removed')
    return removed

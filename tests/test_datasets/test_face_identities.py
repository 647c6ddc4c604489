import os

import cv2
import numpy as np
import pytest
import torch

from mmanon.datasets import FaceDraw, FaceIdentityDataset, aligned_crops
from mmanon.datasets import face_identities as module
from mmanon.face_detectors import FaceDetections
from mmanon.registry import MODELS
from mmanon.structures.landmark_template import TEMPLATE
from mmanon.utils.images import read_image

DETECTOR = dict(type='RedFaceDetector')


@MODELS.register_module()
class RedFaceDetector:
    """Finds the red patches of an image, the template's landmarks in each."""

    built = 0
    asked = 0

    def __init__(self, threshold=128, device='cpu'):
        type(self).built += 1
        self.threshold = threshold

    def detect(self, image):
        type(self).asked += 1
        red = (image[..., 0] > self.threshold) & (image[..., 2] < 100)
        _, _, stats, _ = cv2.connectedComponentsWithStats(red.astype(np.uint8))
        x, y, w, h = stats[1:, :4].T.astype(np.float32)
        boxes = np.stack([x, y, x + w, y + h], 1).reshape(-1, 4)
        sides = np.stack([w, h], 1)[:, None]
        marks = (boxes[:, None, :2] + TEMPLATE * sides / 112).astype(np.float32)
        return FaceDetections(boxes, np.ones(len(boxes), np.float32), marks)


@pytest.fixture(autouse=True)
def count_anew():
    RedFaceDetector.built = RedFaceDetector.asked = 0


@pytest.fixture
def log(monkeypatch):
    """What the data set logs, as (message, level)."""
    said = []
    monkeypatch.setattr(
        module, 'print_log', lambda text, logger, level: said.append((text, level))
    )
    return said


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def photo(*faces, size=64):
    """A blue photograph with red squares at (x, y, side)."""
    image = np.zeros((size, size, 3), np.uint8)
    image[..., 2] = 200
    for x, y, side in faces:
        image[y : y + side, x : x + side] = (220, 40, 40)
    return image


def write_crops(root, counts, size=16):
    """Crops of one brightness an image: 10 a person, 1 an image."""
    for person, (name, count) in enumerate(counts.items()):
        for index in range(count):
            value = 10 * person + index
            write(root / name / f'{index}.png', np.full((size, size, 3), value, 'u1'))


def value_of(item):
    return round((item['image'].mean().item() + 1) * 127.5)


# Crops as they are.


def test_people_are_numbered_by_the_sorted_names_of_their_folders(tmp_path):
    write_crops(tmp_path, {'zoe': 2, 'adam': 1, 'eve': 3})
    (tmp_path / '.cache').mkdir()
    dataset = FaceIdentityDataset(tmp_path, crop_size=16)
    assert dataset.metainfo['classes'] == ('adam', 'eve', 'zoe')
    assert dataset.labels.tolist() == [0, 1, 1, 1, 2, 2]
    assert [value_of(dataset[i]) for i in range(6)] == [10, 20, 21, 22, 0, 1]
    item = dataset[5]
    assert item['label'] == 2
    assert item['path'] == str(tmp_path / 'zoe' / '1.png')


def test_pixels_are_rgb_in_minus_1_to_1(tmp_path):
    image = np.zeros((8, 8, 3), np.uint8)
    image[..., 0] = 255
    write(tmp_path / 'a' / 'red.png', image)
    item = FaceIdentityDataset(tmp_path, crop_size=8)[0]
    assert item['image'].dtype == torch.float32
    assert item['image'].shape == (3, 8, 8)
    assert item['image'][:, 3, 3].tolist() == [1, -1, -1]


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'pgm', 'bmp', 'webp', 'JPG'])
def test_images_of_each_format_are_read(tmp_path, suffix):
    (tmp_path / 'a').mkdir()
    grey = np.full((8, 8), 120, np.uint8)
    packed = cv2.imencode(f'.{suffix.lower()}', grey)[1]
    (tmp_path / 'a' / f'é.{suffix}').write_bytes(packed.tobytes())
    (tmp_path / 'a' / 'notes.txt').write_text('no face')
    dataset = FaceIdentityDataset(tmp_path, crop_size=8)
    assert len(dataset) == 1
    assert abs(value_of(dataset[0]) - 120) <= 2


def test_an_oblong_crop_keeps_its_proportions(tmp_path):
    image = np.zeros((40, 20, 3), np.uint8)
    image[10:30, 5:15] = 255
    write(tmp_path / 'a' / '0.png', image)
    seen = FaceIdentityDataset(tmp_path, crop_size=40)[0]['image'][0] > 0
    assert seen.any(1).sum() == 20
    assert seen.any(0).sum() == 10


def test_some_people_are_chosen_by_name_or_by_file(tmp_path):
    write_crops(tmp_path / 'data', {'a': 1, 'b': 1, 'c': 1})
    names = tmp_path / 'names.txt'
    names.write_text('c\n\na\n')
    for identities in (['c', 'a'], str(names)):
        dataset = FaceIdentityDataset(tmp_path / 'data', 16, identities=identities)
        assert dataset.metainfo['classes'] == ('a', 'c')
        assert [value_of(dataset[i]) for i in (0, 1)] == [0, 20]
    with pytest.raises(ValueError, match=r"\['nobody'\].* holds 3 people"):
        FaceIdentityDataset(tmp_path / 'data', 16, identities=['a', 'nobody'])


def test_what_is_wrong_with_the_folders_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='gone is not a folder'):
        FaceIdentityDataset(tmp_path / 'gone')
    with pytest.raises(ValueError, match='holds no folders'):
        FaceIdentityDataset(tmp_path)
    write_crops(tmp_path, {'a': 3, 'b': 1})
    with pytest.raises(ValueError, match='1 of the 2 people .* than 2 .*: b has 1'):
        FaceIdentityDataset(tmp_path, 16, min_images=2)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='empty has 0'):
        FaceIdentityDataset(tmp_path, 16)
    with pytest.raises(ValueError, match='crop_size must be positive'):
        FaceIdentityDataset(tmp_path, crop_size=0)


def test_unreadable_crops_are_left_out_and_named_once(tmp_path, log):
    write_crops(tmp_path, {'a': 2, 'b': 1})
    (tmp_path / 'a' / 'broken.jpg').write_bytes(b'not an image')
    (tmp_path / 'a' / 'nothing.png').write_bytes(b'')
    (tmp_path / 'b' / 'gone.png').symlink_to('nowhere.png')
    dataset = FaceIdentityDataset(tmp_path, 16)
    assert len(dataset) == 3
    assert dataset.labels.tolist() == [0, 0, 1]
    [(text, _)] = log
    assert '3 faces of 2 people' in text
    names = 'a/broken.jpg, a/nothing.png, b/gone.png'
    assert f'3 images left out, unreadable: {names}' in text


def cut_off(path):
    """Leave only the first two thirds of a file."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])


@pytest.mark.parametrize('in_memory', [True, False])
def test_a_truncated_crop_does_not_end_training(tmp_path, log, monkeypatch, in_memory):
    if not in_memory:
        monkeypatch.setattr(module, 'MEMORY_BYTES', 0)
    write_crops(tmp_path / 'data', {'a': 3, 'b': 2})
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    write(tmp_path / 'data' / 'a' / '1.png', noise)
    cut_off(tmp_path / 'data' / 'a' / '1.png')
    dataset = FaceIdentityDataset(tmp_path / 'data', 16)
    assert [value_of(dataset[i]) for i in range(len(dataset))] == [0, 2, 10, 11]
    assert '1 images left out, unreadable: a/1.png' in log[0][0]


def test_a_large_set_is_checked_once(tmp_path, log, monkeypatch):
    monkeypatch.setattr(module, 'MEMORY_BYTES', 0)
    read = []

    def counted(path):
        read.append(path)
        return read_image(path)

    monkeypatch.setattr('mmanon.datasets.aligned_crops.read_image', counted)
    root = tmp_path / 'data'
    write_crops(root, {'a': 3, 'b': 2})
    (root / 'a' / 'broken.jpg').write_bytes(b'not an image')
    (root / 'b' / 'gone.png').symlink_to('nowhere.png')
    for _ in range(2):
        log.clear()
        assert len(FaceIdentityDataset(root, 16, cache_dir=tmp_path / 'c')) == 5
        text = log[0][0]
        assert '1 images left out, unreadable: a/broken.jpg' in text
        assert '1 images left out, failed: FileNotFoundError' in text
    # What failed may only have been out of reach.
    assert len(read) == 7 + 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ['c', 'data']
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match='name another folder by `cache_dir`'):
        FaceIdentityDataset(root, 16, cache_dir=tmp_path / 'file')


def test_a_person_without_a_usable_image_is_an_error(tmp_path):
    write_crops(tmp_path, {'a': 1})
    (tmp_path / 'b').mkdir()
    (tmp_path / 'b' / 'broken.jpg').write_bytes(b'not an image')
    with pytest.raises(ValueError, match='fewer usable images than 1 .*: b has 0'):
        FaceIdentityDataset(tmp_path, 16)


def test_an_image_that_breaks_later_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(module, 'MEMORY_BYTES', 0)
    write_crops(tmp_path / 'data', {'a': 1})
    dataset = FaceIdentityDataset(tmp_path / 'data', 16)
    (tmp_path / 'data' / 'a' / '0.png').write_bytes(b'')
    with pytest.raises(ValueError, match='0.png cannot be decoded'):
        dataset[0]


# Memory.


def test_small_sets_are_decoded_once(tmp_path, monkeypatch):
    write_crops(tmp_path / 'data', {'a': 2})
    read = []

    def counted(path):
        read.append(path)
        return read_image(path)

    monkeypatch.setattr(module, 'read_image', counted)
    dataset = FaceIdentityDataset(tmp_path / 'data', 16)
    first = dataset[0]['image'].clone()
    dataset[0]['image'].zero_()  # what a user does to an item stays with the user
    assert torch.equal(dataset[0]['image'], first)
    dataset.pixels(0)[0].zero_()
    assert torch.equal(dataset[0]['image'], first)
    assert len(read) == 2
    monkeypatch.setattr(module, 'MEMORY_BYTES', 2 * 3 * 16 * 16 - 1)
    dataset = FaceIdentityDataset(tmp_path / 'data', 16)
    [dataset[0] for _ in range(3)]
    assert len(read) == 5


# Augmentation.


def test_a_draw_is_mirrored_by_its_place_and_seed_alone(tmp_path):
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, :4] = 255
    write(tmp_path / 'a' / '0.png', image)
    plain = FaceIdentityDataset(tmp_path, 8)[0]['image']

    def mirrored(dataset, seed):
        items = [
            dataset[FaceDraw(0, position, seed)]['image'] for position in range(200)
        ]
        assert all(
            torch.equal(x, plain) or torch.equal(x, plain.flip(2)) for x in items
        )
        return [not torch.equal(one, plain) for one in items]

    dataset = FaceIdentityDataset(tmp_path, 8)
    flips = mirrored(dataset, 3)
    assert 60 < sum(flips) < 140
    torch.manual_seed(1)
    np.random.seed(1)
    assert mirrored(FaceIdentityDataset(tmp_path, 8), 3) == flips
    assert mirrored(dataset, 4) != flips
    assert not any(mirrored(FaceIdentityDataset(tmp_path, 8, test_mode=True), 3))
    assert all(mirrored(FaceIdentityDataset(tmp_path, 8, flip_ratio=1.0), 3))


# Alignment.


def test_a_crop_is_the_face_box_and_its_margin(tmp_path):
    write(tmp_path / 'data' / 'a' / '0.png', photo((20, 16, 24)))
    for margin in (0.0, 0.5):
        dataset = FaceIdentityDataset(tmp_path / 'data', 48, margin, DETECTOR)
        red = dataset[0]['image'][0] > 0
        side = 48 / (1 + 2 * margin)
        assert red.any(0).sum().item() == pytest.approx(side, abs=1.5)
        rows = red.any(1).nonzero()
        assert rows.float().mean().item() == pytest.approx(23.5, abs=0.8)


# The cache.


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / 'people'
    for name in ('a', 'b'):
        for index in range(2):
            write(root / name / f'{index}.png', photo((18 + index, 16, 24)))
    return root


def test_a_second_data_set_needs_no_detector(photos, tmp_path):
    first = FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=tmp_path / 'c')
    assert (RedFaceDetector.built, RedFaceDetector.asked) == (1, 4)
    again = FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=tmp_path / 'c')
    assert (RedFaceDetector.built, RedFaceDetector.asked) == (1, 4)
    assert again.paths == first.paths
    for index in range(4):
        assert torch.equal(again[index]['image'], first[index]['image'])
    # Where the detector runs makes no difference.
    detector = dict(DETECTOR, device='cuda:0')
    FaceIdentityDataset(photos, 32, detector=detector, cache_dir=tmp_path / 'c')
    assert RedFaceDetector.built == 1


def test_the_folder_of_the_photographs_stays_as_it_was(photos, cache, log):
    before = sorted(photos.parent.rglob('*'))
    FaceIdentityDataset(photos, 32, detector=DETECTOR)
    assert sorted(photos.parent.rglob('*')) == before
    (crop,) = cache.glob('faces/people_*_aligned/*/a/0.png.png')
    # Where they are is said.
    assert str(crop.parents[1]) in log[-1][0]


def test_photographs_that_nobody_may_write_beside_are_enough(photos):
    """Said before the work, with what a root who may write everywhere would not see."""
    os.chmod(photos.parent, 0o555)
    try:
        assert len(FaceIdentityDataset(photos, 32, detector=DETECTOR)) == 4
    finally:
        os.chmod(photos.parent, 0o755)


def test_crops_made_beside_the_photographs_are_used(photos, cache):
    """That was the place of them before."""
    FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=photos.parent)
    asked = RedFaceDetector.asked
    FaceIdentityDataset(photos, 32, detector=DETECTOR)
    assert RedFaceDetector.asked == asked and not cache.exists()
    # Others go to the new place.
    FaceIdentityDataset(photos, 16, detector=DETECTOR)
    assert list(cache.glob('faces/people_*_aligned/16px_*'))


def test_crops_beside_photographs_that_became_read_only_are_used_while_they_last(
    photos, cache, monkeypatch
):
    FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=photos.parent)
    asked = RedFaceDetector.asked
    monkeypatch.setattr(os, 'access', lambda *_: False)
    FaceIdentityDataset(photos, 32, detector=DETECTOR)
    assert RedFaceDetector.asked == asked and not cache.exists()
    write(photos / 'a' / '9.png', photo((20, 20, 24)))
    FaceIdentityDataset(photos, 32, detector=DETECTOR)
    assert list(cache.glob('faces/people_*_aligned/*/a/9.png.png'))


# Several sets of people.


def test_several_sets_are_one_and_their_people_different_ones(tmp_path):
    write_crops(tmp_path / 'b', {'zoe': 1, 'eve': 2})
    write_crops(tmp_path / 'a', {'eve': 1})
    roots = [str(tmp_path / 'b'), str(tmp_path / 'a')]
    dataset = FaceIdentityDataset(roots, crop_size=16)
    assert dataset.metainfo['classes'] == ('0/eve', '0/zoe', '1/eve')
    assert dataset.labels.tolist() == [0, 0, 1, 2]
    assert [value_of(dataset[i]) for i in range(4)] == [10, 11, 0, 0]
    # What names images relative to the data root still can.
    names = [path.relative_to(dataset.data_root).as_posix() for path in dataset.paths]
    assert names == ['b/eve/0.png', 'b/eve/1.png', 'b/zoe/0.png', 'a/eve/0.png']
    chosen = FaceIdentityDataset(roots, crop_size=16, identities=['1/eve', '0/zoe'])
    assert chosen.metainfo['classes'] == ('0/zoe', '1/eve')
    # A list of one is that one.
    alone = FaceIdentityDataset(roots[1:], crop_size=16)
    assert alone.metainfo['classes'] == ('eve',)


def test_each_of_several_sets_has_crops_of_its_own(photos, tmp_path, cache):
    other = tmp_path / 'others'
    write(other / 'a' / '0.png', photo((16, 16, 32)))
    FaceIdentityDataset(other, 32, detector=DETECTOR)
    asked = RedFaceDetector.asked
    dataset = FaceIdentityDataset([photos, other], 32, detector=DETECTOR)
    assert RedFaceDetector.asked == asked + 4
    assert len(dataset) == 5
    assert len(list((cache / 'faces').iterdir())) == 2


def test_what_is_wrong_with_one_of_several_sets_is_named(tmp_path):
    write_crops(tmp_path / 'a', {'eve': 1})
    with pytest.raises(FileNotFoundError, match='nowhere is not a folder'):
        FaceIdentityDataset([tmp_path / 'a', tmp_path / 'nowhere'])
    for roots in ([tmp_path / 'a', tmp_path / 'b' / '..' / 'a'], []):
        with pytest.raises(ValueError, match='or several different ones'):
            FaceIdentityDataset(roots)


def test_only_what_changed_is_aligned_again(photos, tmp_path):
    def build():
        RedFaceDetector.asked = 0
        made = FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=tmp_path)
        return made, RedFaceDetector.asked

    assert build()[1] == 4
    before = build()[0][1]['image']
    write(photos / 'a' / '1.png', photo((30, 30, 12)))
    os.utime(photos / 'a' / '1.png', (1, 1))
    changed, asked = build()
    assert asked == 1
    assert not torch.equal(changed[1]['image'], before)
    [crop] = tmp_path.glob('people_*_aligned/*/b/0.png.png')
    crop.unlink()
    assert build()[1] == 1
    write(photos / 'b' / '2.png', photo((9, 9, 30)))
    more, asked = build()
    assert (len(more), asked) == (5, 1)
    assert build()[1] == 0


def test_another_geometry_or_detector_has_crops_of_its_own(photos, tmp_path):
    def asked(size=32, margin=0.6, detector=DETECTOR):
        RedFaceDetector.asked = 0
        FaceIdentityDataset(photos, size, margin, detector, tmp_path)
        return RedFaceDetector.asked

    assert asked() == 4
    assert asked(size=24) == 4
    assert asked(margin=0.5) == 4
    assert asked(detector=dict(DETECTOR, threshold=100)) == 4
    assert asked() == asked(size=24) == asked(margin=0.5) == 0


def test_photographs_without_a_face_are_left_out_and_remembered(photos, tmp_path, log):
    write(photos / 'a' / '2.png', photo())
    (photos / 'b' / '3.jpg').write_bytes(b'not an image')
    for _ in range(2):
        log.clear()
        made = FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=tmp_path)
        assert len(made) == 4
        [(text, _)] = log
        assert '1 images left out, no face found: a/2.png' in text
        assert '1 images left out, unreadable: b/3.jpg' in text
    assert RedFaceDetector.asked == 5


def test_two_roots_of_one_name_have_crops_of_their_own(tmp_path):
    def value(folder):
        root = tmp_path / folder / 'faces'
        cache = tmp_path / 'c'
        made = FaceIdentityDataset(root, 32, 0, DETECTOR, cache_dir=cache)
        return made[0]['image'][0].mean().item()

    bright, dark = photo((16, 16, 24)), photo((16, 16, 24))
    dark[..., 0] = dark[..., 0] * 0.7
    write(tmp_path / 'one' / 'faces' / 'a' / '0.png', bright)
    write(tmp_path / 'two' / 'faces' / 'a' / '0.png', dark)
    first = value('one')
    assert value('two') < first - 0.1
    assert value('one') == first
    assert RedFaceDetector.asked == 2


def fails_at(monkeypatch, number, error):
    """Let the detector raise when it is asked for the so-many-th time."""
    detect = RedFaceDetector.detect

    def fails(self, image):
        if RedFaceDetector.asked == number:
            RedFaceDetector.asked += 1
            raise error
        return detect(self, image)

    monkeypatch.setattr(RedFaceDetector, 'detect', fails)


def test_an_interrupted_alignment_goes_on_where_it_stopped(
    photos, tmp_path, monkeypatch
):
    fails_at(monkeypatch, 3, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=tmp_path)
    RedFaceDetector.asked = 0
    monkeypatch.undo()
    made = FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=tmp_path)
    assert len(made) == 4
    assert RedFaceDetector.asked == 1
    assert not list(tmp_path.rglob('*.part'))


def test_a_killed_alignment_goes_on_where_it_was_saved(photos, tmp_path, monkeypatch):
    place = 'mmanon.datasets.aligned_crops'
    write_index = aligned_crops.CheckedImages._write_index
    written = []

    def killed_at_the_end(self, index):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(len(index))
        write_index(self, index)

    with monkeypatch.context() as inner:
        inner.setattr(f'{place}._SAVE_EVERY', 2)
        inner.setattr(f'{place}.CheckedImages._write_index', killed_at_the_end)
        with pytest.raises(KeyboardInterrupt):
            FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=tmp_path)
    assert written == [2, 4]
    FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=tmp_path)
    assert RedFaceDetector.asked == 4


def test_a_photograph_the_detector_fails_on_is_left_out_and_tried_again(
    photos, tmp_path, monkeypatch, log
):
    with monkeypatch.context() as inner:
        fails_at(inner, 1, RuntimeError('no\nmemory'))
        made = FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=tmp_path)
    assert len(made) == 3
    reason = 'failed: RuntimeError no memory'
    assert f'1 images left out, {reason}: a/1.png' in log[0][0]
    RedFaceDetector.asked = 0
    made = FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=tmp_path)
    assert len(made) == 4
    assert RedFaceDetector.asked == 1


def test_a_damaged_index_is_made_anew(photos, tmp_path):
    FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=tmp_path)
    [index] = tmp_path.rglob('index.parquet')
    index.write_bytes(index.read_bytes()[:50])
    made = FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=tmp_path)
    assert len(made) == 4
    assert RedFaceDetector.asked == 8


def test_the_cache_holds_pictures_and_an_index_only(photos, tmp_path):
    FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=tmp_path / 'c')
    files = [path for path in (tmp_path / 'c').rglob('*') if path.is_file()]
    assert sorted({path.suffix for path in files}) == ['.parquet', '.png']
    crop = next(path for path in files if path.suffix == '.png')
    assert read_image(crop).shape == (32, 32, 3)


# Distributed runs.


@pytest.fixture
def ranks(photos, tmp_path, monkeypatch):
    """Builds the data set as two processes would; the second's when its turn comes."""
    place = 'mmanon.datasets.aligned_crops'
    monkeypatch.setattr(f'{place}.get_world_size', lambda: 2)

    def build(cache=tmp_path):
        return FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=cache)

    def both(first_cache=tmp_path):
        errors = []

        def first_process():
            with monkeypatch.context() as inner:
                waited = []
                inner.setattr(f'{place}.is_main_process', lambda: True)
                inner.setattr(f'{place}.barrier', lambda: waited.append(1))
                try:
                    build(first_cache)
                except RuntimeError as error:
                    errors.append(error)
                assert waited == [1]

        monkeypatch.setattr(f'{place}.is_main_process', lambda: False)
        monkeypatch.setattr(f'{place}.barrier', first_process)
        try:
            return build(), errors
        except RuntimeError as error:
            return None, [*errors, error]

    return both


def test_in_a_distributed_run_the_first_process_aligns_for_all(ranks):
    made, errors = ranks()
    assert not errors
    assert len(made) == 4
    assert (RedFaceDetector.built, RedFaceDetector.asked) == (1, 4)


def test_a_distributed_run_does_not_begin_with_a_long_alignment(
    ranks, photos, tmp_path, monkeypatch
):
    monkeypatch.setattr('mmanon.datasets.aligned_crops._MOST_WHILE_OTHERS_WAIT', 3)
    made, errors = ranks()
    # The first process leaves no one waiting.
    assert made is None and len(errors) == 2
    for error in errors:
        assert '4 images' in str(error)
        assert 'mmanon align-faces CONFIG' in str(error)
    assert RedFaceDetector.built == 0
    monkeypatch.setattr('mmanon.datasets.aligned_crops.get_world_size', lambda: 1)
    monkeypatch.setattr('mmanon.datasets.aligned_crops.is_main_process', lambda: True)
    monkeypatch.setattr('mmanon.datasets.aligned_crops.barrier', lambda: None)
    FaceIdentityDataset(photos, 32, detector=DETECTOR, cache_dir=tmp_path)
    monkeypatch.setattr('mmanon.datasets.aligned_crops.get_world_size', lambda: 2)
    assert len(ranks()[0]) == 4


def test_a_process_with_a_cache_of_its_own_says_what_it_lacks(ranks, tmp_path):
    made, errors = ranks(first_cache=tmp_path / 'on another machine')
    assert made is None
    [error] = errors
    assert 'on every machine' in str(error)

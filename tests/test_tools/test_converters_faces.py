"""Face sets in their official layouts become identity folders."""

import struct

import cv2
import numpy as np
import pytest
from converting import load_tool

from mmanon.datasets import FaceIdentityDataset
from mmanon.datasets.preparation.record_io import MAGIC, read_image_records, read_index
from mmanon.evaluation.functional.face_pairs import read_lfw_pairs

casia, vggface2 = load_tool('casia_webface.py'), load_tool('vggface2.py')
lfw, celeba = load_tool('lfw.py'), load_tool('celeba.py')
face_records = load_tool('face_records.py')


def jpeg(grey, size=16):
    image = np.full((size, size, 3), grey, np.uint8)
    return cv2.imencode('.jpg', image)[1].tobytes()


def write_faces(folder, names, grey=100):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(jpeg(grey))


def faces_of(root):
    dataset = FaceIdentityDataset(root, crop_size=16, test_mode=True)
    return dataset.metainfo['classes'], dataset.labels.tolist()


def report_of(main, args, capsys):
    capsys.readouterr()
    code = main([*args, '--check'])
    return code, capsys.readouterr().out


# Record files ------------------------------------------------------------------------


def record(data):
    """One record, cut where its data has the magic number at a multiple of 4."""
    magic, parts, start = struct.pack('<I', MAGIC), [], 0
    for i in range(0, len(data) - 3, 4):
        if data[i : i + 4] == magic:
            parts.append(data[start:i])
            start = i + 4
    parts.append(data[start:])
    flags = [0] if len(parts) == 1 else [1, *[2] * (len(parts) - 2), 3]
    written = b''
    for flag, part in zip(flags, parts, strict=True):
        written += struct.pack('<II', MAGIC, flag << 29 | len(part)) + part
        written += bytes(-len(part) % 4)
    return written


def image_record(labels, number, image):
    flag = 0 if isinstance(labels, int) else len(labels)
    data = struct.pack('<IfQQ', flag, 0 if flag else labels, number, 0)
    if flag:
        data += struct.pack(f'<{flag}f', *labels)
    return record(data + image)


def write_records(src, records, people):
    src.mkdir(parents=True)
    offsets = np.cumsum([0, *map(len, records)])[:-1]
    (src / 'train.rec').write_bytes(b''.join(records))
    lines = [f'{i}\t{offset}\n' for i, offset in enumerate(offsets)]
    (src / 'train.idx').write_text(''.join(lines))
    (src / 'property').write_text(f'{people},112,112')


@pytest.fixture
def emore(tmp_path):
    """As faces_emore: a first record of ranges, images, a last record a person."""
    src = tmp_path / 'faces_emore'
    images = [jpeg(40 * i) for i in range(5)]
    owners = [0, 0, 1, 7, 7]
    records = [image_record([6, 9], 0, b'')]
    records += [
        # Labels come alone, or with another number.
        image_record(owner if i % 2 else [owner, 0], i + 1, image)
        for i, (owner, image) in enumerate(zip(owners, images, strict=True))
    ]
    records += [image_record([1, 3], 6 + i, b'') for i in range(3)]
    write_records(src, records, 3)
    return src, [str(src), '--out', str(tmp_path / 'ms1m')], images


def test_record_files_become_identity_folders(emore, tmp_path, capsys):
    src, args, images = emore
    assert face_records.main(args) == 0
    out = tmp_path / 'ms1m'
    assert faces_of(out) == (('0000000', '0000001', '0000007'), [0, 0, 1, 2, 2])
    # The images as they were encoded.
    assert (out / '0000007/00000004.jpg').read_bytes() == images[3]
    assert report_of(face_records.main, args, capsys) == (0, 'no problem found\n')


def test_unpacking_goes_on_where_it_was_interrupted(emore, tmp_path, monkeypatch):
    src, args, images = emore
    tool, read = face_records.convert.__globals__, read_image_records

    def fail_late(path):
        for i, one in enumerate(read(path)):
            if i == 5:
                raise KeyboardInterrupt
            yield one

    with monkeypatch.context() as patch:
        patch.setitem(tool, 'read_image_records', fail_late)
        with pytest.raises(KeyboardInterrupt):
            face_records.main(args)
    out = tmp_path / 'ms1m'
    # Person 7 was begun: its folder is not there yet.
    assert {path.name for path in out.iterdir()} == {'0000000', '0000001'}
    before = (out / '0000000').stat().st_mtime_ns
    assert face_records.main(args) == 0
    assert faces_of(out)[1] == [0, 0, 1, 2, 2]
    assert (out / '0000000').stat().st_mtime_ns == before
    assert not list(out.glob('.*'))


def test_a_person_whose_records_are_scattered_has_one_folder(tmp_path):
    src = tmp_path / 'src'
    records = [image_record(owner, i, jpeg(9)) for i, owner in enumerate([3, 4, 3])]
    write_records(src, records, 2)
    assert face_records.main([str(src), '--out', str(tmp_path / 'out')]) == 0
    assert faces_of(tmp_path / 'out')[1] == [0, 0, 1]


@pytest.mark.parametrize('place', [0, 4, 8, 60])
def test_data_that_holds_the_magic_number_is_put_together(tmp_path, place):
    magic = struct.pack('<I', MAGIC)
    image = bytes(range(place)) + magic + b'abc' + magic * 2 + b'xy'
    content = image_record(5, 1, image) + image_record([2.0, 1.0], 2, b'z')
    (tmp_path / 'train.rec').write_bytes(content)
    one, two = read_image_records(tmp_path / 'train.rec')
    assert one.image == image and (one.label, one.id, one.offset) == (5, 1, 0)
    assert two.image == b'z' and two.label == 2


def test_broken_record_files_are_named(emore, capsys):
    src, args, images = emore
    path = src / 'train.rec'
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    code, text = report_of(face_records.main, args, capsys)
    assert code == 1 and f'unreadable: {path} is cut off' in text.replace(
        f'{path}: ', ''
    )
    with pytest.raises(SystemExit, match='cut off'):
        face_records.main(args)
    path.write_bytes(b'\0' * 16)
    code, text = report_of(face_records.main, args, capsys)
    assert code == 1 and 'no record at byte 0' in text
    path.write_bytes(whole)
    (src / 'train.idx').write_text('0\t0\n1\t7\n')
    (src / 'property').write_text('85742,112,112')
    code, text = report_of(face_records.main, args, capsys)
    assert code == 1
    assert 'it has 3 people, but property says 85742' in text
    assert f'wrong: {src / "train.idx"}: its offsets' in text
    with pytest.raises(ValueError, match='line 1'):
        (src / 'train.idx').write_text('nothing\n')
        read_index(src / 'train.idx')


def test_images_of_records_that_cannot_be_decoded_are_named(tmp_path, capsys):
    src = tmp_path / 'src'
    good, bad = image_record(0, 0, jpeg(9)), image_record(0, 1, b'no image')
    write_records(src, [good, bad, image_record([0.5], 2, jpeg(9))], 1)
    code, text = report_of(face_records.main, [str(src)], capsys)
    assert code == 1
    assert f'record 1 at byte {len(good)}: its image cannot be decoded' in text
    assert 'has the label 0.5' in text


# Identity folders --------------------------------------------------------------------


def test_casia_webface_is_linked(tmp_path, capsys):
    for person in ('0000045', '0000099'):
        write_faces(tmp_path / 'src/CASIA-WebFace' / person, ['001.jpg', '002.jpg'])
    out = tmp_path / 'data/casia_webface'
    args = [str(tmp_path / 'src'), '--out', str(out)]
    assert casia.main(args) == 0 and casia.main(args) == 0
    assert out.is_symlink()
    assert faces_of(out) == (('0000045', '0000099'), [0, 0, 1, 1])
    assert report_of(casia.main, args, capsys) == (0, 'no problem found\n')
    broken = tmp_path / 'src/CASIA-WebFace/0000045/001.jpg'
    broken.write_bytes(jpeg(3)[:40])
    (tmp_path / 'src/CASIA-WebFace/0000100').mkdir()
    code, text = report_of(casia.main, args, capsys)
    assert code == 1
    assert f'unreadable: {broken}\n' in text
    assert f'wrong: {tmp_path}/src/CASIA-WebFace/0000100: it has no images' in text


def test_a_link_never_replaces_what_is_there(tmp_path):
    write_faces(tmp_path / 'src/0000045', ['001.jpg'])
    write_faces(tmp_path / 'out/mine', ['001.jpg'])
    with pytest.raises(SystemExit, match='move it'):
        casia.main([str(tmp_path / 'src'), '--out', str(tmp_path / 'out')])
    assert (tmp_path / 'out/mine/001.jpg').is_file()


def test_vggface2_is_linked_in_its_two_parts(tmp_path, capsys):
    src, out = tmp_path / 'src', tmp_path / 'out'
    write_faces(src / 'data/train/n000002', ['0001_01.jpg', '0002_01.jpg'])
    args = [str(src), '--out', str(out)]
    assert vggface2.main(args) == 1
    assert f'missing: {src}/test\n' in capsys.readouterr().out
    write_faces(src / 'data/test/n000001', ['0001_01.jpg'])
    assert vggface2.main(args) == 0
    assert faces_of(out / 'train') == (('n000002',), [0, 0])
    assert faces_of(out / 'test') == (('n000001',), [0])
    assert report_of(vggface2.main, args, capsys) == (0, 'no problem found\n')


def test_lfw_is_linked_with_its_pairs(tmp_path, capsys):
    src, out = tmp_path / 'src', tmp_path / 'out'
    for person, count in (('Ann_Ace', 2), ('Bob_Bee', 1)):
        names = [f'{person}_{i:04d}.jpg' for i in range(1, count + 1)]
        write_faces(src / 'lfw' / person, names)
    (src / 'pairs.txt').write_text('1\t1\nAnn_Ace\t1\t2\nAnn_Ace\t2\tBob_Bee\t1\n')
    args = [str(src), '--out', str(out)]
    assert lfw.main(args) == 0
    paths, pairs = read_lfw_pairs(out / 'pairs.txt', out / 'images')
    assert len(paths) == 3 and pairs.same.tolist() == [True, False]
    assert faces_of(out / 'images')[0] == ('Ann_Ace', 'Bob_Bee')
    assert report_of(lfw.main, args, capsys) == (0, 'no problem found\n')
    (src / 'lfw/Bob_Bee/Bob_Bee_0001.jpg').unlink()
    code, text = report_of(lfw.main, args, capsys)
    assert code == 1 and 'pairs.txt, line 3' in text and 'Bob_Bee_0001.jpg' in text
    (src / 'lfw-deepfunneled').mkdir()
    code, text = report_of(lfw.main, args, capsys)
    assert code == 1 and 'lfw, lfw-deepfunneled' in text


@pytest.fixture
def celeba_files(tmp_path):
    src = tmp_path / 'src'
    images = [f'{i:06d}.jpg' for i in range(1, 6)]
    write_faces(src / 'Img/img_align_celeba', images)
    people = [2880, 2880, 13, 13, 7]
    parts = [0, 0, 1, 1, 2]
    (src / 'Anno').mkdir()
    (src / 'Eval').mkdir()
    lines = [
        f'{image} {person}\n' for image, person in zip(images, people, strict=True)
    ]
    (src / 'Anno/identity_CelebA.txt').write_text(''.join(lines))
    lines = [f'{image} {part}\n' for image, part in zip(images, parts, strict=True)]
    (src / 'Eval/list_eval_partition.txt').write_text(''.join(lines))
    rows = ''.join(f'{image} -1  1\n' for image in images)
    (src / 'Anno/list_attr_celeba.txt').write_text(f'5\nBald Smiling \n{rows}')
    points = ' '.join(f'{part}_{xy}' for part in ('lefteye', 'nose') for xy in 'xy')
    rows = ''.join(f'{image}  69 109 106 113\n' for image in images)
    path = src / 'Anno/list_landmarks_align_celeba.txt'
    path.write_text(f'5\n{points}\n{rows}')
    return src, [str(src), '--out', str(tmp_path / 'out')]


def test_celeba_is_parted_by_its_own_partition(celeba_files, tmp_path, capsys):
    src, args = celeba_files
    assert celeba.main(args) == 0
    out = tmp_path / 'out'
    assert faces_of(out / 'train') == (('02880',), [0, 0])
    assert faces_of(out / 'val') == (('00013',), [0, 0])
    assert faces_of(out / 'test') == (('00007',), [0])
    assert (out / 'train/02880/000001.jpg').is_symlink()
    lines = (out / 'attributes.csv').read_text().splitlines()
    assert lines[:2] == ['image,Bald,Smiling', 'train/02880/000001.jpg,-1,1']
    lines = (out / 'landmarks.csv').read_text().splitlines()
    assert lines[5] == 'test/00007/000005.jpg,69,109,106,113'
    assert report_of(celeba.main, args, capsys) == (0, 'no problem found\n')


def test_what_is_wrong_with_celeba_is_named(celeba_files, capsys):
    src, args = celeba_files
    (src / 'Img/img_align_celeba/000002.jpg').unlink()
    (src / 'Img/img_align_celeba/000003.jpg').write_bytes(b'')
    path = src / 'Eval/list_eval_partition.txt'
    path.write_text(path.read_text().replace('000004.jpg 1', '000004.jpg 2'))
    attributes = src / 'Anno/list_attr_celeba.txt'
    attributes.write_text(
        attributes.read_text().replace('000005.jpg -1  1', '000005.jpg 1')
    )
    (src / 'Anno/list_landmarks_align_celeba.txt').unlink()
    code, text = report_of(celeba.main, args, capsys)
    assert code == 1
    assert f'missing: {src}/Img/img_align_celeba/000002.jpg' in text
    assert f'unreadable: {src}/Img/img_align_celeba/000003.jpg' in text
    assert 'person 13 is in val and test' in text
    assert f'wrong: {attributes}: line 7' in text
    assert f'missing: {src}/Anno/list_landmarks_align_celeba.txt' in text


@pytest.mark.parametrize(
    'tool', [casia, vggface2, lfw, celeba, face_records], ids=lambda tool: tool.__name__
)
def test_the_help_tells_the_layout(tool, capsys):
    with pytest.raises(SystemExit):
        tool.main(['--help'])
    text = capsys.readouterr().out
    assert tool.LAYOUT.strip() in text and '--check' in text

from mmanon.utils.near_names import near_name, or_near


def test_a_misspelt_name_finds_what_was_meant():
    known = ['modifier', 'discriminator', 'crop_size']

    assert near_name('modifer', known) == 'modifier'
    assert near_name('CropSize', known) == 'crop_size'
    assert near_name('xyz', known) is None


def test_a_sentence_ends_with_what_was_meant_or_what_there_is():
    assert or_near('modifer', ['modifier', 'faces']) == 'did you mean `modifier`?'
    assert or_near('xyz', ['b', 'a']) == 'there are `a`, `b`'
    assert or_near('xyz', 'abcd', most=2) == 'there are `a`, `b` and 2 more'

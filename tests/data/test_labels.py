"""Labels: the file-name parser is strict, with a reason for every refusal; age groups have their edges."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utkface_mt.data.labels import AGE_GROUPS, Labels, age_group, parse_name


@given(st.integers(1, 116), st.integers(0, 1), st.integers(0, 4), st.integers(10**16, 10**17 - 1))
def test_every_well_formed_name_gives_its_labels(age: int, gender: int, race: int, time: int):
    assert parse_name(f"{age}_{gender}_{race}_{time}.jpg.chip.jpg") == Labels(age, gender, race)


@given(st.text(max_size=40))
def test_any_text_gives_labels_in_range_or_a_value_error(name: str):
    try:
        labels = parse_name(name)
    except ValueError:
        return
    assert 1 <= labels.age <= 116
    assert labels.gender in (0, 1)
    assert 0 <= labels.race <= 4


@pytest.mark.parametrize(
    "name",
    ["24_0_1_20170116220224657 .jpg.chip.jpg", "55_0_0_20170116232725357jpg.chip.jpg", "1_1_4_20161219154612.JPG"],
)
def test_odd_spellings_of_the_published_files_are_read(name: str):
    assert parse_name(name).age == int(name.split("_")[0])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("39_1_20170116174525125.jpg.chip.jpg", "3 fields"),
        ("999_0_1_20170116174525125.jpg", "age 999"),
        ("0_0_1_20170116174525125.jpg", "age 0"),
        ("30_3_1_20170116174525125.jpg", "gender 3"),
        ("30_1_7_20170116174525125.jpg", "race 7"),
        ("30_1__20170116174525125.jpg", "race ''"),
        ("30_1_2_yesterday.jpg", "time 'yesterday'"),
        ("30_1_2_20170116174525125.txt", "does not end"),
        ("٣٠_1_2_20170116174525125.jpg", "age"),
        ("-30_1_2_20170116174525125.jpg", "age '-30'"),
        ("00000000000000030_1_2_20170116174525125.jpg", "more than 4 digits"),
    ],
)
def test_defects_are_named(name: str, reason: str):
    with pytest.raises(ValueError, match=reason):
        parse_name(name)


def test_age_groups_have_the_stated_edges():
    ages = pd.Series(range(1, 117))
    for group in AGE_GROUPS:
        first, last = (int(end) for end in group.replace("70+", "70-116").split("-"))
        assert ages[age_group(ages) == group].tolist() == list(range(first, last + 1))

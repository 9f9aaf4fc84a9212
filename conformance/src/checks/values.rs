//! Values: what was put is what is read, whole and at once.

use bytes::Bytes;

use super::check;
use crate::bench::{Bench, key, show, space};
use crate::check::{Check, Outcome};
use crate::ensure;
use crate::ops::{KINDS, Value};

pub(super) const CHECKS: &[Check] = &[
    check("K-01", "A value that was put is read back byte for byte", "sentence 1", round_trip),
    check("K-02", "A key never written is absent: no error, no empty value", "sentence 8", absent),
    check("K-03", "An overwrite of the same length is visible at once", "sentence 2", same_length),
    check(
        "K-04",
        "A shorter value leaves no tail of the longer one before it",
        "sentence 1",
        no_tail,
    ),
    check("K-05", "Putting a value twice is the same as putting it once", "sentence 2", twice),
    check(
        "K-06",
        "A deleted key is absent, and put again holds the new value only",
        "sentence 2",
        revive,
    ),
    check(
        "K-07",
        "Deleting what is not there succeeds and leaves nothing",
        "sentence 5",
        delete_nothing,
    ),
    check("K-08", "Deleting twice, from two handles, succeeds", "sentences 2 and 5", delete_twice),
    check("K-09", "The size that stat gives is the length of the value", "Stat::size", sizes_agree),
    check(
        "K-10",
        "An empty value is a value: there, of size 0, listed, overwritable",
        "sentence 1",
        empty,
    ),
    check(
        "K-11",
        "Every byte, line ending, trailing zero and invalid UTF-8 is kept",
        "sentence 1",
        bytes_kept,
    ),
    check("K-12", "Values that look like a store's own framing are kept", "sentence 1", framing),
    check(
        "K-13",
        "Values that compress well and values that do not are both exact",
        "sentence 1",
        entropy,
    ),
    check("K-14", "Values of every length around powers of two are exact", "sentence 1", lengths),
    check(
        "K-15",
        "A write is visible through another handle at once, both ways",
        "sentence 2",
        other_handle,
    ),
    check("K-16", "Writes to distinct keys commute", "sentence 2", commute),
    check("K-17", "A value once read does not change when its key does", "sentence 1", snapshot),
    check("K-18", "Reading changes nothing", "sentence 2", reading_is_idle),
    check("K-19", "Two keys with the same value are two objects", "sentence 7", equal_values),
    check("K-20", "Alternating long and short values are each read whole", "sentence 1", alternate),
];

fn round_trip(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let mut mark = 0;
    for kind in 0..KINDS {
        for len in [0, 1, 2, 3, 10, 100, 1000, 10_000, 200_000] {
            mark += 1;
            let value = Value { kind, len, mark }.bytes();
            let place = key("team", &format!("data/{mark}"));
            store.put(&place, value.clone())?;
            store.holds(&place, Some(&value))?;
        }
    }
    Ok(())
}

fn absent(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let never = ["a", "a/b", "b", "data/x.json", "é", "a b"];
    for path in never {
        store.holds(&key("team", path), None)?;
    }
    store.put(&key("team", "a/b/c"), "here")?;
    for path in never {
        store.holds(&key("team", path), None).map_err(|f| f.during("beside a/b/c"))?;
    }
    store.holds(&key("other", "a/b/c"), None)
}

fn same_length(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "data/x");
    for len in [1_usize, 7, 1000, 70_000] {
        for round in 0..5_u8 {
            let value = vec![b'a' + round; len];
            store.put(&place, value.clone())?;
            store.holds(&place, Some(&value))?;
        }
    }
    Ok(())
}

fn no_tail(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "data/x");
    for (long, short) in [(2, 1), (10, 0), (5000, 4999), (100_000, 10), (300, 256)] {
        store.put(&place, vec![b'l'; long])?;
        store.put(&place, vec![b's'; short])?;
        store.holds(&place, Some(&vec![b's'; short]))?;
    }
    Ok(())
}

fn twice(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "data/x");
    for value in ["same", ""] {
        store.put(&place, value)?;
        store.put(&place, value)?;
        store.holds_exactly(&space("team"), &[(place.clone(), value.into())])?;
    }
    Ok(())
}

fn revive(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let (place, beside) = (key("team", "data/x"), key("team", "data/y"));
    store.put(&beside, "stays")?;
    for round in 0..4 {
        let value = format!("life {round}");
        store.put(&place, value.clone())?;
        store.holds(&place, Some(value.as_bytes()))?;
        store.delete(&place)?;
        store.holds(&place, None)?;
        store.holds_exactly(&space("team"), &[(beside.clone(), "stays".into())])?;
    }
    Ok(())
}

fn delete_nothing(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    for path in ["a", "a/b", "deep/er/and/deeper", "é"] {
        store.delete(&key("team", path))?;
        store.holds_exactly(&space("team"), &[])?;
    }
    ensure!(store.namespaces()?.is_empty(), "deleting nothing made a namespace");
    // Where a folder of that name, or a name below that key, is there.
    store.put(&key("team", "a/b"), "one")?;
    store.delete(&key("team", "a"))?;
    store.delete(&key("team", "a/b/c"))?;
    store.holds_exactly(&space("team"), &[(key("team", "a/b"), "one".into())])
}

fn delete_twice(bench: &Bench) -> Outcome {
    let (home, one) = bench.fresh()?;
    let two = bench.open(&home)?;
    let place = key("team", "data/x");
    one.put(&place, "value")?;
    one.delete(&place)?;
    two.delete(&place)?;
    one.delete(&place)?;
    two.holds(&place, None)
}

fn sizes_agree(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    for len in [0_u32, 1, 2, 255, 256, 65_535, 65_536, 100_000] {
        let place = key("team", &format!("{len}"));
        store.put(&place, Value { kind: 6, len, mark: 1 }.bytes())?;
        let size = store.stat(&place)?.map(|stat| stat.size.bytes());
        ensure!(size == Some(len.into()), "stat of {len} bytes gave {size:?}");
    }
    Ok(())
}

fn empty(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "folder/empty");
    store.put(&place, Bytes::new())?;
    store.holds_exactly(&space("team"), &[(place.clone(), Bytes::new())])?;
    ensure!(store.namespaces()? == [space("team")], "a namespace of one empty value is missing");
    store.put(&place, "full")?;
    store.holds(&place, Some(b"full"))?;
    store.put(&place, Bytes::new())?;
    store.holds(&place, Some(b""))?;
    store.delete(&place)?;
    store.holds_exactly(&space("team"), &[])
}

fn bytes_kept(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let every: Vec<u8> = (0..=255).collect();
    let values: [&[u8]; 14] = [
        &every,
        b"a\r\nb\rc\n",
        b"\r\n",
        b"end of line\n",
        b"\0",
        b"ends in zeros\0\0\0",
        b"\0starts",
        b"\xff\xfe\x80",
        b"\xef\xbb\xbfmarked",
        b"  spaces  ",
        b"\t\x0b\x1a",
        b"caf\xc3\xa9 cafe\xcc\x81",
        b"\xed\xa0\x80",
        b"null",
    ];
    for (nth, value) in values.into_iter().enumerate() {
        let place = key("team", &format!("data/{nth}"));
        store.put(&place, value.to_vec())?;
        store.holds(&place, Some(value))?;
    }
    Ok(())
}

fn framing(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let values: [&[u8]; 12] = [
        b"PK\x03\x04",
        b"PK\x05\x06\0\0",
        b"SQLite format 3\0",
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03",
        b"{}",
        b"[1, 2]",
        b"\"text\"",
        b"0",
        b"<Error/>",
        b"\x28\xb5\x2f\xfd",
        b"BZh9",
        b"---\n",
    ];
    for (nth, value) in values.into_iter().enumerate() {
        let place = key("team", &format!("data/{nth}"));
        store.put(&place, value.to_vec())?;
        store.holds(&place, Some(value))?;
    }
    Ok(())
}

fn entropy(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    for (nth, kind) in [6, 7, 0, 1].into_iter().enumerate() {
        let place = key("team", &format!("data/{nth}"));
        let value = Value { kind, len: 300_000, mark: 9 }.bytes();
        store.put(&place, value.clone())?;
        store.holds(&place, Some(&value))?;
    }
    Ok(())
}

fn lengths(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "data/x");
    for power in 3..=18 {
        for len in [(1 << power) - 1, 1 << power, (1 << power) + 1] {
            let value = Value { kind: 6, len, mark: power }.bytes();
            store.put(&place, value.clone())?;
            store.holds(&place, Some(&value)).map_err(|f| f.during(format!("{len} bytes")))?;
        }
    }
    Ok(())
}

fn other_handle(bench: &Bench) -> Outcome {
    let (home, one) = bench.fresh()?;
    let two = bench.open(&home)?;
    let place = key("team", "data/x");
    for round in 0..6 {
        let (from, to) = if round % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let value = format!("round {round}");
        from.put(&place, value.clone())?;
        to.holds(&place, Some(value.as_bytes()))?;
        to.holds_exactly(&space("team"), &[(place.clone(), value.into())])?;
    }
    one.delete(&place)?;
    two.holds(&place, None)?;
    two.holds_exactly(&space("team"), &[])
}

fn commute(bench: &Bench) -> Outcome {
    let names = ["a", "a/b", "a-b", "ab", "A"];
    let mut random = bench.random();
    let mut expected = Vec::new();
    for name in names {
        expected.push((key("team", name), Bytes::from(format!("value of {name}"))));
    }
    for _ in 0..bench.rounds(20) {
        let (_home, store) = bench.fresh()?;
        let mut order = expected.clone();
        for at in (1..order.len()).rev() {
            order.swap(at, random.below(at + 1));
        }
        for (place, value) in &order {
            store.put(place, value.clone())?;
        }
        let orders: Vec<_> = order.iter().map(|(place, _)| place.path()).collect();
        store
            .holds_exactly(&space("team"), &expected)
            .map_err(|f| f.during(format!("put in the order {orders:?}")))?;
    }
    Ok(())
}

fn snapshot(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "data/x");
    store.put(&place, vec![1; 5000])?;
    let before = store.read(&place)?;
    store.put(&place, vec![2; 5000])?;
    store.delete(&place)?;
    let kept = before.as_deref();
    ensure!(kept == Some(&[1; 5000][..]), "a value read before changed to {}", show(kept));
    Ok(())
}

fn reading_is_idle(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let (here, gone) = (key("team", "a/here"), key("team", "a/gone"));
    store.put(&here, "value")?;
    let first = store.get(&here)?;
    for _ in 0..5 {
        store.holds(&gone, None)?;
        let again = store.get(&here)?;
        ensure!(again == first, "reading again gave {again:?} after {first:?}");
        store.holds_exactly(&space("team"), &[(here.clone(), "value".into())])?;
    }
    Ok(())
}

fn equal_values(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let (one, two) = (key("team", "one"), key("team", "two"));
    let value = vec![b'v'; 3000];
    store.put(&one, value.clone())?;
    store.put(&two, value.clone())?;
    store.delete(&one)?;
    store.holds(&two, Some(&value))?;
    store.put(&one, value.clone())?;
    store.put(&two, "changed")?;
    store.holds(&one, Some(&value))
}

fn alternate(bench: &Bench) -> Outcome {
    let (_home, store) = bench.fresh()?;
    let place = key("team", "data/x");
    for round in 0..30_u32 {
        let len = if round % 2 == 0 { 20_000 + round } else { round };
        let value = Value { kind: 6, len, mark: round }.bytes();
        store.put(&place, value.clone())?;
        store.holds(&place, Some(&value))?;
    }
    Ok(())
}

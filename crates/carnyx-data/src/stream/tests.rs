//! What streams promise: order, completeness, errors in their place, threads that end.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Samples 0, 1, 2, … with their number as target, in blocks of these sizes.
fn blocks(sizes: &'static [usize]) -> Stream {
    Stream::each_epoch(move |_| {
        Ok(sizes.iter().scan(0, |first, &size| {
            let from = *first;
            *first += size;
            let x = Array::from_fn([size, 2], |i| (from + i / 2) as f32);
            Some(Ok(Batch::from((x, Array::from_fn([size], |i| (from + i) as i64)))))
        }))
    })
}

fn collected(stream: &Stream, epoch: usize) -> Vec<Vec<f32>> {
    stream
        .walk(epoch)
        .unwrap()
        .map(|batch| {
            let batch = batch.unwrap();
            let targets = batch.targets()[0].values();
            let rows = batch.inputs()[0].values();
            assert!(rows.chunks(2).zip(&targets).all(|(row, target)| row == [*target, *target]));
            targets
        })
        .collect()
}

fn sizes(stream: &Stream) -> Vec<usize> {
    collected(stream, 0).iter().map(Vec::len).collect()
}

#[test]
fn rows_are_cut_anew_in_their_order() {
    let all: Vec<f32> = (0..17).map(|i| i as f32).collect();
    for size in 1..20 {
        let batches = blocks(&[3, 0, 1, 8, 5]).batch(size);
        assert_eq!(collected(&batches, 0).concat(), all, "batches of {size}");
        assert!(sizes(&batches).iter().rev().skip(1).all(|&rows| rows == size));
    }
    assert_eq!(sizes(&blocks(&[3, 0, 1, 8, 5]).batch_exact(4)), [4, 4, 4, 4]);
    assert_eq!(sizes(&blocks(&[3, 1, 8, 5]).skip(2).take(7)), [1, 1, 5]);
    assert_eq!(collected(&blocks(&[3, 1, 8, 5]).skip(16), 0), [[16.0]]);
    assert_eq!(sizes(&blocks(&[2]).take(0)), []);
}

#[test]
fn blocks_of_the_right_size_are_not_copied() {
    let x = Array::full([4, 2], 1f32);
    let given = x.clone();
    let stream = Stream::each_epoch(move |_| {
        Ok((0..3).map({
            let given = given.clone();
            move |_| Ok(Batch::from(given.clone()))
        }))
    });
    assert!(stream.batch(4).walk(0).unwrap().all(|batch| batch.unwrap().inputs()[0].shares_memory_with(&x)));
}

#[test]
fn shuffling_keeps_every_sample_and_depends_on_seed_and_epoch_only() {
    for buffer in [0, 1, 4, 10, 17, 100] {
        let stream = blocks(&[3, 0, 1, 8, 5]).shuffle(buffer, 42);
        let mut order = collected(&stream, 0).concat();
        assert_eq!(order, collected(&stream, 0).concat());
        order.sort_by(f32::total_cmp);
        assert_eq!(order, (0..17).map(|i| i as f32).collect::<Vec<_>>(), "a buffer of {buffer}");
    }
    let order = |seed, epoch| collected(&blocks(&[17]).shuffle(17, seed), epoch).concat();
    assert_ne!(order(1, 0), order(1, 1));
    assert_ne!(order(1, 0), order(2, 0));
    assert_ne!(order(1, 2), order(2, 1));
}

/// Each of 5 samples comes first in a fifth of 10 000 epochs: six standard deviations are 240.
#[test]
fn no_place_is_preferred() {
    for stream in
        [blocks(&[5]).shuffle(5, 7), blocks(&[1, 1, 1, 1, 1]).shuffle(5, 7), blocks(&[2, 3]).shuffle(5, 7)]
    {
        let mut counts = [[0i32; 5]; 5];
        for epoch in 0..10_000 {
            for (place, sample) in collected(&stream, epoch).concat().iter().enumerate() {
                counts[place][*sample as usize] += 1;
            }
        }
        assert!(counts.as_flattened().iter().all(|count| (count - 2000).abs() < 240), "{counts:?}");
    }
}

#[test]
fn threads_change_nothing() {
    let plain = blocks(&[4; 50]).map(|batch| Ok(doubled(batch)));
    for threads in [1, 2, 5] {
        let late = AtomicUsize::new(0);
        let stream = blocks(&[4; 50]).parallel_map(threads, move |batch| {
            // Every third item takes longer than those after it.
            if late.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
                std::thread::sleep(Duration::from_micros(300));
            }
            Ok(doubled(batch))
        });
        for stream in [stream.clone(), stream.clone().prefetch(0), stream.prefetch(3)] {
            let inputs = |stream: &Stream| -> Vec<Array> {
                stream.walk(0).unwrap().map(|batch| batch.unwrap().inputs()[0].clone()).collect()
            };
            assert_eq!(inputs(&stream), inputs(&plain), "{threads} threads");
        }
    }
}

fn doubled(mut batch: Batch) -> Batch {
    batch.arrays_mut().take(1).for_each(|x| *x = Array::from_fn(x.shape(), |i| 2.0 * x.element(i) as f32));
    batch
}

/// What a walk gives: numbers, then perhaps an error.
fn walked(stream: &Stream<i32>) -> (Vec<i32>, Option<String>) {
    let mut numbers = Vec::new();
    for item in stream.walk(0).unwrap() {
        match item {
            Ok(number) => numbers.push(number),
            Err(error) => return (numbers, Some(error.title().to_owned())),
        }
    }
    (numbers, None)
}

#[test]
fn failures_come_in_their_place_and_end_the_walk() {
    let numbers = || Stream::each_epoch(|_| Ok((0..10).map(Ok)));
    let fails = |i: i32| if i == 4 { Err(Error::new("file", "the disk is gone")) } else { Ok(i) };
    let panics = |i: i32| if i == 4 { panic!("four is unlucky") } else { Ok(i) };
    let expected = |title: &str| (vec![0, 1, 2, 3], Some(title.to_owned()));
    let gone = expected("the disk is gone");
    assert_eq!(walked(&numbers().map(fails)), gone);
    assert_eq!(walked(&numbers().map(fails).prefetch(2)), gone);
    assert_eq!(walked(&numbers().parallel_map(3, fails)), gone);
    assert_eq!(walked(&numbers().map(fails).parallel_map(3, Ok)), gone);
    let unlucky = expected("a panic in the function of `.parallel_map`: four is unlucky");
    assert_eq!(walked(&numbers().parallel_map(3, panics)), unlucky);
    assert_eq!(walked(&numbers().parallel_map(1, panics).prefetch(1)), unlucky);
    assert_eq!(
        walked(&numbers().map(panics).prefetch(2)),
        expected("a panic while a stream was read: four is unlucky")
    );
    assert_eq!(walked(&numbers().map(fails).repeat(3)), gone);
    // Nothing comes after an error.
    assert_eq!(numbers().map(fails).walk(0).unwrap().count(), 5);
    // Walks that are given up end their threads, and the sources with them.
    let source = Arc::new(());
    let held = source.clone();
    let stream = Stream::each_epoch(move |_| {
        let held = held.clone();
        Ok((0..).map(move |i: i32| Ok((i, held.clone()).0)))
    });
    assert_eq!(stream.clone().parallel_map(3, Ok).prefetch(2).walk(0).unwrap().take(5).count(), 5);
    for _ in 0..1000 {
        if Arc::strong_count(&source) == 2 {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("a thread still holds the source");
}

#[test]
fn repetition_opens_further_epochs() {
    let stream = Stream::each_epoch(|epoch| Ok((0..2).map(move |i| Ok(10 * epoch + i))));
    let numbers = |stream: &Stream<usize>, epoch| {
        stream.walk(epoch).unwrap().take(5).map(Result::unwrap).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&stream.clone().repeat(2), 1), [20, 21, 30, 31]);
    assert_eq!(numbers(&stream.repeat_forever(), 1), [10, 11, 20, 21, 30]);
    let empty = Stream::each_epoch(|_| Ok(std::iter::empty::<Result<i32>>()));
    assert_eq!(empty.repeat_forever().walk(0).unwrap().count(), 0);
}

#[test]
fn what_is_known_of_the_length() {
    let x = Array::full([100, 2], 0f32);
    let rows = || Stream::rows(&[&x], &[], 7);
    assert_eq!(rows().num_items(), Some(15));
    assert_eq!(rows().shuffle(10, 0).batch(32).prefetch(1).num_items(), Some(4));
    assert_eq!(rows().take(64).skip(32).batch(8).repeat(3).num_items(), Some(12));
    assert_eq!(rows().map(Ok).num_items(), Some(15));
    assert_eq!(rows().map(Ok).batch(32).num_items(), None);
    assert_eq!(rows().repeat_forever().batch(32).num_items(), None);
    for stream in [rows().batch(32), rows().take(64).skip(31).batch_exact(8).repeat(2), rows().map(Ok)] {
        assert_eq!(stream.num_items(), Some(stream.walk(0).unwrap().count()));
    }
}

#[test]
fn blocks_that_do_not_go_together_are_named() {
    let stream = |second: Batch| {
        let first = Batch::from((Array::full([4, 2], 0f32), Array::full([4], 0u8)));
        Stream::each_epoch(move |_| Ok([first.clone(), second.clone()].into_iter().map(Ok)))
    };
    let message = |stream: Stream| stream.walk(0).unwrap().find_map(Result::err).unwrap().to_string();
    let wide = || Batch::from((Array::full([4, 3], 0f32), Array::full([4], 0u8)));
    let expected = "error[data]: block 1 of the stream has other rows than the first\n  \
                    = f32[4, 3], and f32[0, 2] in the first";
    assert_eq!(message(stream(wide()).batch(3)), expected);
    assert_eq!(message(stream(wide()).shuffle(100, 0)), expected.replace("[0, 2]", "[4, 2]"));
    let uneven = Batch::from((Array::full([4, 2], 0f32), Array::full([3], 0u8)));
    assert_eq!(
        message(stream(uneven).batch(3)),
        "error[data]: the arrays of block 1 of the stream have different numbers of rows\n  \
         = their shapes are [[4, 2], [3]]"
    );
    let alone = Batch::from(Array::full([4, 2], 0f32));
    assert_eq!(
        message(stream(alone).batch(3)),
        "error[data]: block 1 of the stream has other arrays than the first\n  \
         = 1 inputs of 1 arrays, and 1 of 2 in the first"
    );
    let x = Array::full([4, 2], 0f32);
    let short = Stream::rows(&[&x], &[], 2).with_targets(Stream::rows(&[&x.rows(0..3).unwrap()], &[], 2));
    assert_eq!(
        message(short),
        "error[data]: block 1 has 2 samples, but 1 targets\n  \
         = help: give each sample one target, and cut both into the same blocks"
    );
}

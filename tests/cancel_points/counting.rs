//! Every point of every case.

use crate::effects::check;
use crate::expected::*;
use crate::operations::*;
use crate::points::*;
use crate::scene::*;

/// Learns how long the operation of `case` is, and lets its strike befall it at every point.
pub(crate) fn every_point(points: &mut Points, world: &World, case: Case) {
    if points.is_enough() {
        return;
    }
    let mut length = None;
    points.warm_up(|| _ = undisturbed(world, case));
    points.attempt(&format!("{case:?} undisturbed"), || {
        length = Some(undisturbed(world, case));
    });
    for k in 0..=length.unwrap_or(0) {
        if points.is_enough() {
            return;
        }
        points.attempt(&format!("{case:?} at {k}"), || point(world, case, k));
    }
}

fn undisturbed(world: &World, case: Case) -> u32 {
    // A strike that does nothing is none.
    let case = Case {
        strike: if matches!(case.way, Way::Callback | Way::LaterFinish) {
            Strike::DropFuture
        } else {
            Strike::Cancel
        },
        ..case
    };
    let mut scene = Scene::new(world, case);
    let length = scene.length();
    if case.natural().is_none() {
        assert!(!scene.has_ended(), "nobody answered");
        scene.drop_future();
    }
    if !scene.is_dropped() {
        scene.go_to_the_end();
        let end = scene.end();
        let natural = case.natural().unwrap_or(Err(gio::IOErrorEnum::Cancelled));
        assert_eq!(end, Some(natural));
    }
    assert_idle_and_leave(scene);
    length
}

fn assert_idle_and_leave(scene: Scene<'_>) {
    crate::tools::assert_idle(&scene.world.context);
    scene.leave();
}

fn point(world: &World, case: Case, k: u32) {
    let mut scene = Scene::new(world, case);
    for _ in 0..k {
        scene.step();
    }
    let (ended, done) = (scene.has_ended(), scene.is_done());
    let begun = scene.was_begun();
    scene.strike();
    scene.go_to_the_end();
    let end = scene.end();
    match end {
        Some(end) => {
            let mut allowed = case.allowed(ended, done);
            if !begun && matches!(case.strike, Strike::Close | Strike::DropReference) {
                // The other close was first.
                match case.op {
                    Op::Close | Op::GracefulClose if case.strike == Strike::Close => {
                        allowed = vec![Ok(0)];
                    }
                    Op::GracefulClose if case.answer == Answer::Reset => {
                        allowed = vec![Err(gio::IOErrorEnum::NotConnected)];
                    }
                    Op::Flush => allowed = vec![Err(gio::IOErrorEnum::Closed)],
                    _ => {}
                }
            }
            assert!(
                allowed.contains(&end),
                "it said {end:?}, not one of {allowed:?}"
            );
        }
        None => assert!(!ended && scene.is_dropped(), "it said nothing"),
    }
    check(&mut scene, end, ended);
    assert_idle_and_leave(scene);
}

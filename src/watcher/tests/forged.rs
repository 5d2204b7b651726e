//! Requests that no inbox with its triggers would hold.

use super::{
    MINUTE,
    world::{World, register_body},
};
use crate::{
    chain::{ChainInput, SourceError},
    domain::{payment::PaymentId, request::Request, status::Status},
};
use std::{
    io,
    sync::{Arc, Mutex},
};

fn row(world: &World, seq: i64, request_id: &str, kind: &str, id: &str, body: &str) -> Request {
    Request {
        seq,
        request_id: request_id.to_owned(),
        kind: kind.to_owned(),
        payment_id: id.to_owned(),
        body: body.to_owned(),
        actor: None,
        created_at: world.now(),
    }
}

fn is_registered(world: &World, id: &str) -> bool {
    let id = PaymentId::new(id).unwrap();
    world.watcher.store.find(&id).unwrap().is_some()
}

#[test]
fn an_id_that_comes_twice_has_one_effect() {
    let mut world = World::new();
    let register = |seq, request_id, id, address| {
        row(
            &world,
            seq,
            request_id,
            "register",
            id,
            &register_body(address),
        )
    };
    let portion = vec![
        register(1, "same", "a", 0),
        register(2, "same", "b", 1),
        register(3, "other", "c", 1),
        register(4, "same", "b", 1),
    ];
    world.give_rows(portion);
    let found = ["a", "b", "c"].map(|id| is_registered(&world, id));
    assert_eq!(found, [true, false, true]);
    let position = world.watcher.store.inbox_position().unwrap().unwrap();
    assert_eq!(position.seq, 4, "a repeat is passed, not waited for");
}

#[test]
fn an_id_that_waits_has_one_effect() {
    let mut world = World::new();
    world.register("a", 0);
    world.register("b", 1);
    let error = SourceError::Transient("down".to_owned());
    world.give(ChainInput::Failed { error });
    world.wait(MINUTE);
    let cancel = |seq, id| row(&world, seq, "same", "cancel", id, "{}");
    let (first, second) = (cancel(10, "a"), cancel(11, "b"));
    world.give_rows(vec![first]);
    world.give_rows(vec![second]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Canceled);
    assert_eq!(world.status_of("b"), Status::New);
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the log says of this.
pub(super) fn logged(act: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(log, act);
    let shown = lines.0.lock().unwrap().clone();
    String::from_utf8(shown).unwrap()
}

#[test]
fn no_text_of_a_gateway_looks_like_a_line_or_a_field_of_the_log() {
    let shown = logged(|| {
        let mut world = World::new();
        let forged = "x\n2026-11-22 INFO confirmd: paid payment=b\u{1b}[2K\u{85} outcome=applied";
        let request = row(&world, 1, forged, forged, forged, "{}");
        world.give_rows(vec![request]);
    });
    assert_eq!(shown.matches("confirmd: paid").count(), 3, "{shown}");
    assert_eq!(shown.lines().count(), 1, "{shown}");
    assert!(!shown.trim_end().contains(char::is_control), "{shown}");
    for quoted in ["request=\"x", "kind=\"x", "payment=\"x"] {
        assert!(shown.contains(quoted), "{shown}");
    }
}

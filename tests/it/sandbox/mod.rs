//! `confirmd sandbox` as a process: the tour, a gateway's tests against one that stays, and what is left
//! behind, which is nothing.

mod ground;
mod life;
mod orders;

use crate::nodes::send_signal;
use ground::Ground;
use nix::sys::signal::Signal;
use std::{io::Read as _, path::PathBuf, process::Stdio};

#[test]
fn the_tour_ends_by_itself_with_every_payment_as_it_says() {
    let ground = Ground::new();
    let output = ground.run(&["sandbox"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    for result in [
        "=> four times `paid` (exact)",
        "=> `invalid` (underpaid)",
        "=> `paid` (overpaid)",
        "=> `invalid` (split) for the first, `paid` (exact) for the second",
        "=> `invalid` (wrong_asset)",
        "=> `expired`, then `invalid` (late)",
        "=> `new` (dropped), then `invalid` (double_spent)",
        "=> `paid`, reversed, and `paid` again",
        "REVERSED: paid -> ",
        "12 payments, all as said",
    ] {
        assert!(said.contains(result), "{result} is missing:\n{said}");
    }
    let outcome = |id: &str| {
        let line = said.lines().rev().find(|line| line.starts_with(id));
        let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
        words.get(3..5).map(|words| words.join(" "))
    };
    assert_eq!(outcome("order-btc "), Some("paid exact".to_owned()));
    assert_eq!(outcome("late "), Some("invalid late".to_owned()));
    let table = |text: &str| {
        let lines = text
            .lines()
            .skip_while(|line| !line.starts_with("payment  "));
        let lines = lines.take_while(|line| !line.is_empty());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let readme = include_str!("../../../README.md");
    assert_eq!(table(&said), table(readme), "README.md shows the tour");
    assert_eq!(table(&said).len(), 13);
    assert!(!said.contains('\u{1b}'), "no colours in a pipe");
    assert_eq!(ground.left_behind(), Vec::<PathBuf>::new());
}

#[test]
fn ctrl_c_in_the_tour_leaves_nothing_and_is_no_success() {
    let ground = Ground::new();
    let mut tour = ground.command(&["sandbox"]);
    let mut tour = tour
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut begun = [0; 64];
    tour.stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut begun)
        .unwrap();
    send_signal(tour.id(), Signal::SIGINT);
    assert_eq!(tour.wait().unwrap().code(), Some(1));
    assert_eq!(ground.left_behind(), Vec::<PathBuf>::new());
}

//! Every bug that a test of the library is said to catch is planted in that test, which must fail
//! then.

mod table;

use super::Bug;

#[test]
fn every_bug_that_a_test_is_said_to_catch_is_caught_by_it() {
    let mut missed = Vec::new();
    for line in table::lines() {
        let (bug, test) = (line.bug.as_str(), line.what.as_str());
        if line.kind != "test" {
            continue;
        }
        match table::complaint(bug, test) {
            Some(words) => println!("{}", table::row(bug, test, &words)),
            None => missed.push(format!("{bug} by {test}")),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:#?}");
}

#[test]
fn a_bug_is_planted_on_one_thread_only() {
    let planted = || -> Vec<Bug> {
        let all = Bug::ALL.iter().copied();
        all.filter(|bug| super::planted(*bug)).collect()
    };
    let before = planted();
    super::plant(Some(Bug::FourTopics));
    let other = std::thread::spawn(planted);
    assert!(planted().contains(&Bug::FourTopics));
    assert_eq!(other.join().unwrap(), before);
    super::plant(None);
    assert_eq!(planted(), before);
}

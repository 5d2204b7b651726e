//! Listening to publishers that come, go, and lose notifications.

use super::*;
use crate::chain::{bitcoin::zmtp::tests::Speaker, follower::Bell};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

const PATIENCE: Duration = Duration::from_secs(20);

/// A publisher that is listened to, and what was heard.
struct Listening {
    bell: Arc<Bell>,
    named: Arc<Named>,
    notices: Arc<AtomicU32>,
    gaps: Arc<AtomicU32>,
    silences: Arc<AtomicU32>,
    _stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

fn listen(address: &str) -> Listening {
    listen_with(address, SILENCE)
}

fn listen_with(address: &str, silence: Duration) -> Listening {
    let (bell, named) = (Arc::new(Bell::default()), Arc::new(Named::default()));
    let [notices, gaps, silences] = [(); 3].map(|()| Arc::new(AtomicU32::new(0)));
    let counts = (
        Arc::clone(&notices),
        Arc::clone(&gaps),
        Arc::clone(&silences),
    );
    let observer: Observer = Arc::new(move |heard| {
        let counter = match heard {
            "notification" => &counts.0,
            "gap" => &counts.1,
            "silence" => &counts.2,
            "other" => return,
            other => panic!("{other}"),
        };
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let named_here = Arc::clone(&named);
    let mut publisher = Publisher::new(address.to_owned(), Arc::clone(&bell), named_here, observer);
    publisher.silence = silence;
    let (stop, stopping) = watch::channel(false);
    Listening {
        bell,
        named,
        notices,
        gaps,
        silences,
        _stop: stop,
        task: tokio::spawn(publisher.listen(stopping)),
    }
}

impl Listening {
    async fn rings(&self) {
        let rung = timeout(PATIENCE, self.bell.rung()).await;
        rung.expect("the bell rings");
    }

    async fn rings_for_transactions(&self) {
        let rung = timeout(PATIENCE, self.bell.rung_for_transactions()).await;
        rung.expect("the bell rings for transactions");
    }
}

/// Where a publisher is, and its address.
async fn port() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    (listener, address)
}

/// A publisher that is listened to.
async fn heard() -> (TcpListener, Speaker, Listening) {
    let (listener, address) = port().await;
    let listening = listen(&address);
    let (speaker, topics) = Speaker::accept(&listener).await;
    assert_eq!(topics, ["hashblock", "sequence"]);
    listening.rings().await;
    (listener, speaker, listening)
}

async fn say(speaker: &mut Speaker, topic: &str, body: &[u8], number: u32) {
    let number = number.to_le_bytes();
    speaker.say(&[topic.as_bytes(), body, &number]).await;
}

fn arrived(of: u8) -> Vec<u8> {
    [&[of; 32][..], b"A", &[0; 8]].concat()
}

#[tokio::test]
async fn what_is_published_rings_and_names() {
    let (_listener, mut speaker, listening) = heard().await;
    say(&mut speaker, "hashblock", &[1; 32], 7).await;
    listening.rings().await;
    let connected = [&[1; 32][..], b"C"].concat();
    say(&mut speaker, "sequence", &connected, 2).await;
    listening.rings().await;
    assert_eq!(listening.named.take(NAMED_MAX), []);
    say(&mut speaker, "sequence", &arrived(5), 3).await;
    listening.rings_for_transactions().await;
    assert_eq!(listening.named.take(NAMED_MAX), [TxId([5; 32])]);
    assert_eq!(listening.notices.load(Ordering::Relaxed), 3);
    assert_eq!(listening.gaps.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn lost_notifications_are_counted_and_everything_is_asked_once_a_second() {
    let gaps = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&gaps);
    let observer: Observer = Arc::new(move |heard| {
        counted.fetch_add(u32::from(heard == "gap"), Ordering::Relaxed);
    });
    let bell = Arc::new(Bell::default());
    let here = Arc::clone(&bell);
    let mut publisher = Publisher::new(String::new(), here, Arc::default(), observer);
    for (number, lost, rings) in [
        (u32::MAX, 0, false),
        (0, 0, false),
        (2, 1, true),
        (9, 2, false),
        (10, 2, false),
    ] {
        let frames = [
            b"sequence".to_vec(),
            arrived(1),
            number.to_le_bytes().to_vec(),
        ];
        publisher.take(&frames);
        assert_eq!(gaps.load(Ordering::Relaxed), lost, "{number}");
        let rung = timeout(Duration::ZERO, bell.rung()).await;
        assert_eq!(rung.is_ok(), rings, "{number}");
    }
}

/// What is published before the subscriptions have effect is not heard.
#[tokio::test]
async fn everything_is_asked_once_more_when_the_subscriptions_have_effect() {
    let (_listener, _speaker, listening) = heard().await;
    listening.rings().await;
}

// shows: P10
#[tokio::test]
async fn a_publisher_that_comes_late_or_again_is_heard() {
    let (listener, address) = port().await;
    drop(listener);
    let listening = listen(&address);
    let own = address.strip_prefix("tcp://").unwrap();
    let listener = TcpListener::bind(own).await.unwrap();
    for _ in 0..2 {
        let accepting = timeout(PATIENCE, Speaker::accept(&listener)).await;
        let (mut speaker, _) = accepting.expect("it comes again");
        listening.rings().await;
        say(&mut speaker, "hashblock", &[1; 32], 1).await;
        listening.rings().await;
    }
}

/// Whoever answers the port may be anybody.
#[tokio::test]
async fn what_is_no_notification_is_passed_over_or_ends_the_connection() {
    let (listener, mut speaker, listening) = heard().await;
    speaker.say(&[b"hashblock", b"too short", b""]).await;
    speaker.raw(b"\x02\x10\0\0\0\0\0\0\0").await;
    let accepting = timeout(PATIENCE, Speaker::accept(&listener)).await;
    let (mut speaker, _) = accepting.expect("it comes again");
    listening.rings().await;
    say(&mut speaker, "hashblock", &[1; 32], 1).await;
    listening.rings().await;
    assert_eq!(listening.notices.load(Ordering::Relaxed), 1);
}

// shows: P10
#[tokio::test]
async fn a_connection_without_a_word_is_made_anew_and_everything_is_asked() {
    let (listener, address) = port().await;
    let listening = listen_with(&address, Duration::from_millis(30));
    for silences in 0..2 {
        let accepting = timeout(PATIENCE, Speaker::accept(&listener)).await;
        let _speaker = accepting.expect("it comes again");
        listening.rings().await;
        assert!(listening.silences.load(Ordering::Relaxed) >= silences);
    }
}

#[test]
fn no_more_is_kept_than_a_list_would_bring() {
    let named = Named::default();
    for _ in 0..NAMED_MAX + 5 {
        named.add(TxId([1; 32]));
    }
    assert_eq!(named.take(NAMED_MAX + 5).len(), NAMED_MAX);
    assert_eq!(named.take(1), []);
}

#[tokio::test]
async fn it_ends_with_the_daemon() {
    let listening = listen("tcp://127.0.0.1:1");
    let Listening {
        _stop: stop, task, ..
    } = listening;
    stop.send(true).unwrap();
    timeout(PATIENCE, task).await.unwrap().unwrap();
}

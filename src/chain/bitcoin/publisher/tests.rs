//! Listening to publishers that come, go, and lose notifications.

use super::*;
use crate::chain::follower::Bell;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::{sync::watch, task::JoinHandle};
use zeromq::{PubSocket, SocketSend as _};

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
}

/// A publisher at a port of its own, or at one that was told before.
async fn publisher(address: &str) -> (PubSocket, String) {
    let bound = async {
        loop {
            let mut socket = PubSocket::new();
            // The port of one that was just closed may be free a moment later.
            if let Ok(endpoint) = socket.bind(address).await {
                return (socket, endpoint.to_string());
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, bound).await.expect("a free port")
}

fn notice(topic: &str, body: &[u8], number: u32) -> ZmqMessage {
    let mut message = ZmqMessage::from(topic.to_owned());
    message.push_back(body.to_vec().into());
    message.push_back(number.to_le_bytes().to_vec().into());
    message
}

fn arrived(of: u8) -> Vec<u8> {
    [&[of; 32][..], b"A", &[0; 8]].concat()
}

/// Publishes the same until it is heard: who subscribes too late hears nothing.
async fn first(socket: &mut PubSocket, listening: &Listening, number: u32) {
    let before = listening.notices.load(Ordering::Relaxed);
    let heard = async {
        while listening.notices.load(Ordering::Relaxed) == before {
            let message = notice("sequence", &[&[0; 32][..], b"R"].concat(), number);
            socket.send(message).await.unwrap();
            tokio::task::yield_now().await;
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, heard).await.expect("it is heard");
}

#[tokio::test]
async fn what_is_published_rings_and_names() {
    let (mut socket, address) = publisher("tcp://127.0.0.1:0").await;
    let listening = listen(&address);
    listening.rings().await;
    first(&mut socket, &listening, 1).await;
    for (message, named) in [
        (notice("hashblock", &[1; 32], 7), vec![]),
        (
            notice("sequence", &[&[1; 32][..], b"C"].concat(), 2),
            vec![],
        ),
        (notice("sequence", &arrived(5), 3), vec![TxId([5; 32])]),
    ] {
        socket.send(message).await.unwrap();
        if named.is_empty() {
            listening.rings().await;
        } else {
            let rung = timeout(PATIENCE, listening.bell.rung_for_transactions()).await;
            rung.expect("the bell rings for transactions");
        }
        assert_eq!(listening.named.take(), named);
    }
}

#[tokio::test]
async fn lost_notifications_are_counted_and_everything_is_asked() {
    let (mut socket, address) = publisher("tcp://127.0.0.1:0").await;
    let listening = listen(&address);
    listening.rings().await;
    first(&mut socket, &listening, u32::MAX).await;
    let gaps = listening.gaps.load(Ordering::Relaxed);
    socket
        .send(notice("sequence", &arrived(1), 0))
        .await
        .unwrap();
    timeout(PATIENCE, listening.bell.rung_for_transactions())
        .await
        .unwrap();
    assert_eq!(
        listening.gaps.load(Ordering::Relaxed),
        gaps,
        "they go round"
    );
    socket
        .send(notice("sequence", &arrived(2), 2))
        .await
        .unwrap();
    listening.rings().await;
    assert_eq!(listening.gaps.load(Ordering::Relaxed), gaps + 1);
    assert_eq!(listening.named.take(), [1, 2].map(|n| TxId([n; 32])));
}

#[tokio::test]
async fn a_publisher_that_comes_late_or_again_is_heard() {
    let (socket, address) = publisher("tcp://127.0.0.1:0").await;
    socket.close().await;
    let listening = listen(&address);
    let (mut socket, _) = publisher(&address).await;
    listening.rings().await;
    first(&mut socket, &listening, 1).await;
    socket.close().await;
    let (mut socket, _) = publisher(&address).await;
    first(&mut socket, &listening, 1).await;
}

// shows: P10
#[tokio::test]
async fn a_connection_without_a_word_is_made_anew_and_everything_is_asked() {
    let (_socket, address) = publisher("tcp://127.0.0.1:0").await;
    let listening = listen_with(&address, Duration::from_millis(30));
    for rings in 0..2 {
        listening.rings().await;
        assert!(listening.silences.load(Ordering::Relaxed) >= rings);
    }
}

#[tokio::test]
async fn rawtx_names_transactions_only_where_there_is_no_sequence() {
    let block = bitcoin::constants::genesis_block(bitcoin::Network::Bitcoin);
    let raw = bitcoin::consensus::serialize(&block.txdata[0]);
    let bell = Arc::new(Bell::default());
    let mut publisher = Publisher::new(String::new(), bell, Arc::default(), Arc::new(|_| {}));
    publisher.take(&notice("rawtx", &raw, 1));
    assert_eq!(publisher.named.take().len(), 1);
    publisher.take(&notice("sequence", &arrived(1), 1));
    publisher.take(&notice("rawtx", &raw, 2));
    assert_eq!(publisher.named.take(), [TxId([1; 32])]);
}

#[test]
fn no_more_is_kept_than_a_list_would_bring() {
    let named = Named::default();
    for _ in 0..NAMED_MAX + 5 {
        named.add(TxId([1; 32]));
    }
    assert_eq!(named.take().len(), NAMED_MAX);
    assert_eq!(named.take(), []);
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

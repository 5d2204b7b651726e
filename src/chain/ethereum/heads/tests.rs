//! Listening to endpoints that announce, repeat themselves, fall silent, refuse and go away.

use super::*;
use crate::{chain::follower::Bell, domain::block::Height};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

const PATIENCE: Duration = Duration::from_secs(20);

/// What was heard so often.
#[derive(Default)]
struct Heard {
    notifications: AtomicU32,
    silences: AtomicU32,
    others: AtomicU32,
}

struct Listening {
    bell: Arc<Bell>,
    announced: Arc<Announced>,
    heard: Arc<Heard>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listening {
    async fn rings(&self) {
        let rung = timeout(PATIENCE, self.bell.rung()).await;
        rung.expect("the bell rings");
    }
}

/// Listens to an endpoint that is silent for so long before it counts as gone.
fn listen(url: &str, silence: Duration) -> Listening {
    let (bell, announced) = (Arc::<Bell>::default(), Arc::<Announced>::default());
    let heard = Arc::<Heard>::default();
    let seen = Arc::clone(&heard);
    let observer: Observer = Arc::new(move |event| {
        let counter = match event {
            "notification" => &seen.notifications,
            "silence" => &seen.silences,
            "other" => &seen.others,
            unknown => panic!("{unknown}"),
        };
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let url = SecretUrl(url.parse().unwrap());
    let here = (Arc::clone(&bell), Arc::clone(&announced));
    let mut heads = Heads::new("local".to_owned(), url, here.0, here.1, observer);
    (heads.silence, heads.retry) = (silence, Duration::from_millis(5));
    let (stop, stopping) = watch::channel(false);
    Listening {
        bell,
        announced,
        heard,
        stop,
        task: tokio::spawn(heads.listen(stopping)),
    }
}

/// The other side of a connection.
struct Speaker(WebSocketStream<TcpStream>);

impl Speaker {
    async fn accept(listener: &TcpListener) -> Self {
        let accepted = timeout(PATIENCE, listener.accept()).await;
        let (stream, _) = accepted.expect("somebody connects").unwrap();
        Self(accept_async(stream).await.unwrap())
    }

    /// Waits for the call, and what it is answered.
    async fn answer(&mut self, answer: &Value) -> Value {
        let call = self.0.next().await.unwrap().unwrap();
        self.say(answer).await;
        serde_json::from_str(call.to_text().unwrap()).unwrap()
    }

    async fn subscribed(listener: &TcpListener) -> Self {
        let mut speaker = Self::accept(listener).await;
        let call = speaker
            .answer(&json!({"jsonrpc": "2.0", "id": 1, "result": "0xf00"}))
            .await;
        let expected = json!({
            "jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"],
        });
        assert_eq!(call, expected);
        speaker
    }

    async fn say(&mut self, message: &Value) {
        self.0
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    async fn announce(&mut self, height: u32, hash: u8) {
        self.say(&announcement("0xf00", height, hash)).await;
    }

    /// Whoever listened is gone.
    async fn ends(mut self) {
        let closed = async {
            while let Some(Ok(message)) = self.0.next().await {
                assert!(matches!(message, Message::Ping(_) | Message::Close(_)));
            }
        };
        timeout(PATIENCE, closed)
            .await
            .expect("the connection ends");
    }
}

fn announcement(subscription: &str, height: u32, hash: u8) -> Value {
    let block = block(height, hash);
    let (number, hash) = (format!("{height:#x}"), format!("0x{}", block.hash));
    json!({
        "jsonrpc": "2.0", "method": "eth_subscription",
        "params": {
            "subscription": subscription,
            "result": {"number": number, "hash": hash, "gasUsed": "0x0"},
        },
    })
}

fn block(height: u32, hash: u8) -> BlockId {
    BlockId {
        height: Height(height),
        hash: BlockHash([hash; 32]),
    }
}

async fn port() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[tokio::test]
async fn a_new_head_rings_and_is_named() {
    let (listener, url) = port().await;
    let listening = listen(&url, SILENCE);
    let mut speaker = Speaker::subscribed(&listener).await;
    // What was announced before it listened.
    listening.rings().await;
    assert_eq!(listening.announced.take(), None);
    speaker.announce(7, 1).await;
    listening.rings().await;
    assert_eq!(listening.announced.take(), Some(block(7, 1)));
    assert_eq!(listening.announced.take(), None, "once");
    // A reorganisation announces the same height again.
    speaker.announce(7, 2).await;
    listening.rings().await;
    assert_eq!(listening.announced.take(), Some(block(7, 2)));
    assert_eq!(listening.heard.notifications.load(Ordering::Relaxed), 2);
}

/// A thousand blocks of its own invention in a moment.
#[tokio::test]
async fn a_flood_of_heads_rings_seldom_and_its_last_one_is_named() {
    let (listener, url) = port().await;
    let listening = listen(&url, SILENCE);
    let mut speaker = Speaker::subscribed(&listener).await;
    listening.rings().await;
    let began = Instant::now();
    for height in 0..1_000 {
        speaker.announce(height, u8::from(height % 2 == 0)).await;
    }
    let mut rings = 0_u32;
    let all = async {
        while listening.announced.take() != Some(block(999, 0)) {
            listening.bell.rung().await;
            rings += 1;
        }
    };
    timeout(PATIENCE, all).await.expect("the last one is named");
    let most = u32::try_from(began.elapsed().as_secs()).unwrap() + RINGS_MAX + 2;
    assert!(rings <= most, "{rings} rings, {most} at most");
}

/// A few blocks may come at once; who announces more is heard once a second, and who was silent has all again.
#[test]
fn rings_are_earned() {
    let mut rings = Rings::new();
    let mut now = Instant::now();
    let mut gaps = Vec::new();
    for _ in 0..7 {
        let next = rings.ring(now);
        gaps.push((next - now).as_millis());
        now = next;
    }
    assert_eq!(gaps[..4], [200; 4]);
    assert!(
        gaps[4] <= 200 + 4 * 200 && gaps[5..] == [1_000; 2],
        "{gaps:?}"
    );
    now += Duration::from_mins(1);
    assert_eq!(rings.ring(now), now + RING_GAP);
}

#[tokio::test]
async fn what_is_no_announcement_of_ours_is_passed_over() {
    let (listener, url) = port().await;
    let listening = listen(&url, SILENCE);
    let mut speaker = Speaker::accept(&listener).await;
    // Before the answer too.
    speaker.say(&announcement("0xold", 1, 1)).await;
    speaker.answer(&json!({"id": 1, "result": "0xf00"})).await;
    listening.rings().await;
    speaker.say(&announcement("0xbar", 2, 2)).await;
    speaker
        .say(&json!({"params": {"subscription": "0xf00", "result": {"number": 3}}}))
        .await;
    speaker.say(&announcement("0xf00", 0, 3)).await;
    speaker.say(&json!(["no", "object"])).await;
    let beyond = json!({"number": "0x1ffffffff", "hash": format!("0x{}", block(0, 4).hash)});
    let beyond = json!({"params": {"subscription": "0xf00", "result": beyond}});
    speaker.say(&beyond).await;
    speaker.0.send(Message::binary(vec![0; 9])).await.unwrap();
    speaker.announce(5, 5).await;
    while listening.announced.take() != Some(block(5, 5)) {
        listening.rings().await;
    }
    assert_eq!(listening.heard.others.load(Ordering::Relaxed), 5);
    assert_eq!(listening.heard.notifications.load(Ordering::Relaxed), 2);
}

// shows: P10
#[tokio::test]
async fn a_connection_without_a_new_head_is_made_anew() {
    let (listener, url) = port().await;
    let listening = listen(&url, Duration::from_millis(200));
    let silent = Speaker::subscribed(&listener).await;
    listening.rings().await;
    silent.ends().await;
    let mut repeating = Speaker::subscribed(&listener).await;
    listening.rings().await;
    repeating.announce(7, 1).await;
    listening.rings().await;
    let repeats = async {
        while repeating
            .0
            .send(Message::text(announcement("0xf00", 7, 1).to_string()))
            .await
            .is_ok()
        {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, repeats).await.expect("it is left");
    let mut third = Speaker::subscribed(&listener).await;
    listening.rings().await;
    third.announce(8, 2).await;
    listening.rings().await;
    assert_eq!(listening.heard.silences.load(Ordering::Relaxed), 2);
}

// shows: P10
#[tokio::test]
async fn whoever_goes_away_or_refuses_is_tried_again() {
    let (listener, url) = port().await;
    let listening = listen(&url, SILENCE);
    // No WebSocket at all.
    drop(listener.accept().await.unwrap());
    // No subscriptions.
    let mut refusing = Speaker::accept(&listener).await;
    let error = json!({"code": -32601, "message": "the method eth_subscribe does not exist"});
    refusing.answer(&json!({"id": 1, "error": error})).await;
    refusing.ends().await;
    // More than a header.
    let mut endless = Speaker::subscribed(&listener).await;
    listening.rings().await;
    let sent = endless.0.send(Message::text("x".repeat(300 * 1024))).await;
    drop(sent);
    endless.ends().await;
    // Gone in the middle.
    drop(Speaker::subscribed(&listener).await);
    listening.rings().await;
    let mut last = Speaker::subscribed(&listener).await;
    listening.rings().await;
    last.announce(9, 9).await;
    listening.rings().await;
    assert_eq!(listening.announced.take(), Some(block(9, 9)));
}

#[tokio::test]
async fn listening_ends_with_the_daemon() {
    let (listener, url) = port().await;
    let listening = listen(&url, SILENCE);
    let speaker = Speaker::subscribed(&listener).await;
    listening.stop.send(true).unwrap();
    timeout(PATIENCE, listening.task).await.unwrap().unwrap();
    speaker.ends().await;
}

// shows: S10
#[tokio::test]
async fn user_and_password_are_sent_and_never_shown() {
    let (listener, url) = port().await;
    let url = url.replace("ws://", "ws://us3r:pa%40ss@") + "/v3/k3y0f0urs";
    let seen = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let length = tokio::io::AsyncReadExt::read(&mut &mut { stream }, &mut head).await;
        String::from_utf8_lossy(&head[..length.unwrap()]).into_owned()
    });
    let said = probe(&SecretUrl(url.parse().unwrap())).await.unwrap_err();
    let head = seen.await.unwrap();
    assert!(head.starts_with("GET /v3/k3y0f0urs HTTP/1.1"), "{head}");
    let sent = head.to_lowercase();
    assert!(
        sent.contains("authorization: basic dxmzcjpwyubzcw=="),
        "{head}"
    );
    assert!(!sent.contains("us3r"), "{head}");
    for secret in ["us3r", "pa@ss", "pa%40ss", "k3y0f0urs"] {
        assert!(!said.contains(secret), "{said}");
    }
    assert!(said.starts_with("ws://127.0.0.1:"), "{said}");
}

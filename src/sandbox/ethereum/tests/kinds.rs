//! Every kind of transaction, with what it credits written down a second time.

use super::*;

/// What goes into one block, and what that credits.
type Case = (&'static str, Vec<Intent>, Vec<&'static str>);

async fn check(cases: Vec<Case>) {
    check_on(chain, cases).await;
}

async fn check_on(chain: impl Fn() -> Chain, cases: Vec<Case>) {
    for (name, intents, expected) in cases {
        let mut rig = Rig::on(chain()).await;
        let mut sender = Sender::new(CHAIN_ID, 1);
        let transactions = intents.into_iter().map(|intent| sender.sign(intent));
        let block = rig.mine(transactions.collect::<Vec<_>>());
        assert_eq!(rig.agrees(block, name).await, expected, "{name}");
    }
}

fn ether(amount: u64) -> Intent {
    Intent::ether(SHOP, units(amount))
}

fn usdt(amount: u64) -> Intent {
    Intent::token(USDT, SHOP, units(amount))
}

fn usdc(amount: u64) -> Intent {
    Intent::token(USDC, SHOP, units(amount))
}

fn me() -> [u8; 20] {
    Sender::new(CHAIN_ID, 1).address()
}

#[tokio::test]
async fn ether_in_transactions_of_every_kind() {
    for kind in Kind::ALL {
        check(vec![
            (
                "plain",
                vec![ether(5).of_kind(kind)],
                vec!["top 0 tx ether shop 5"],
            ),
            (
                "with calldata",
                vec![ether(5).of_kind(kind).with_calldata(vec![1, 2, 3])],
                vec!["top 0 tx ether shop 5"],
            ),
            ("of nothing", vec![ether(0).of_kind(kind)], vec![]),
            (
                "to oneself",
                vec![Intent::ether(me(), units(5)).of_kind(kind)],
                vec![],
            ),
        ])
        .await;
    }
    let huge = Intent::ether(SHOP, U256::ONE << 200);
    let many = "top 0 tx ether shop 1606938044258990275541962092341162602522202993782792835301376";
    check(vec![("beyond 128 bits", vec![huge], vec![many])]).await;
}

#[tokio::test]
async fn transfers_of_tokens() {
    let moved = |token, to, amount| Move {
        token,
        from: None,
        to,
        amount: units(amount),
    };
    check(vec![
        ("USDT", vec![usdt(7)], vec!["token 0 log:0 USDT shop 7"]),
        ("USDC", vec![usdc(7)], vec!["token 0 log:0 USDC shop 7"]),
        (
            "in somebody's name",
            vec![Intent::token_from(USDT, OTHER, SHOP, units(7))],
            vec!["token 0 log:0 USDT shop 7"],
        ),
        (
            "of nothing in somebody's name",
            vec![Intent::token_from(USDT, OTHER, SHOP, U256::ZERO)],
            vec![],
        ),
        (
            "to oneself",
            vec![Intent::token(USDT, me(), units(7))],
            vec![],
        ),
        (
            "a fake token with the real symbol",
            vec![Intent::token(FAKE, SHOP, units(7))],
            vec!["token 0 log:0 FAKE shop 7"],
        ),
        (
            "at a contract that is no token",
            vec![Intent::token(CONTRACT, SHOP, units(7))],
            vec![],
        ),
        (
            "several in one transaction",
            vec![Intent::tokens(
                CONTRACT,
                vec![
                    moved(USDT, SHOP, 1),
                    moved(FAKE, SHOP, 2),
                    moved(USDT, SHOP, 3),
                ],
            )],
            vec![
                "token 0 log:0 USDT shop 1",
                "token 0 log:1 FAKE shop 2",
                "token 0 log:2 USDT shop 3",
            ],
        ),
        (
            "beside ether in one call",
            vec![usdt(7).with_value(units(2))],
            vec!["top 0 tx ether USDT 2", "token 0 log:0 USDT shop 7"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_only_looks_like_a_transfer() {
    let forged = |shape| Intent::forged_log(USDT, CONTRACT, shape, SHOP, units(7));
    check(vec![
        (
            "a transfer that says false",
            vec![Intent::refused_token(USDT, SHOP, units(7))],
            vec![],
        ),
        (
            "a log of another contract in a call of the real one",
            vec![forged(LogShape::Proper)],
            vec![],
        ),
    ])
    .await;
    for shape in LogShape::MALFORMED {
        let odd = Intent::odd_log(USDT, shape, SHOP, units(7));
        check(vec![("a malformed log", vec![odd, forged(shape)], vec![])]).await;
    }
    // The same call with a proper log of the token would be found: the scanner cannot know better.
    let mut rig = Rig::new().await;
    let lie = Intent::odd_log(USDT, LogShape::Proper, SHOP, units(7));
    let block = rig.mine(vec![Sender::new(CHAIN_ID, 1).sign(lie)]);
    assert_eq!(rig.facts(block).await.credits.len(), 1);
}

fn set(token: [u8; 20], change: Change) -> Intent {
    Intent::administer(token, change)
}

#[tokio::test]
async fn tokens_that_take_a_fee() {
    let fee = |basis_points, maximum| Change::Fee {
        basis_points,
        maximum: units(maximum),
    };
    check(vec![
        (
            "a fee, until it is switched off",
            vec![
                set(USDT, fee(10, 50)),
                usdt(12_345),
                usdt(10_000_000),
                set(USDT, fee(0, 0)),
                usdt(5),
            ],
            vec![
                "token 1 log:0 USDT shop 12333",
                "token 1 log:1 USDT 0x0f 12",
                "token 2 log:0 USDT shop 9999950",
                "token 2 log:1 USDT 0x0f 50",
                "token 4 log:0 USDT shop 5",
            ],
        ),
        (
            "a fee that takes all",
            vec![set(USDT, fee(60_000, u64::MAX)), usdt(5)],
            vec!["token 1 log:1 USDT 0x0f 5"],
        ),
        (
            "administration that there is not",
            vec![
                set(USDC, fee(10, 10)),
                set(FAKE, Change::Pause),
                set(CONTRACT, Change::Pause),
                usdc(9),
                Intent::token(FAKE, SHOP, units(8)),
            ],
            vec!["token 3 log:0 USDC shop 9", "token 4 log:0 FAKE shop 8"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn tokens_that_are_paused_or_refuse_somebody() {
    check(vec![
        (
            "paused and not",
            vec![
                set(USDC, Change::Pause),
                usdc(1),
                set(USDC, Change::Unpause),
                usdc(2),
            ],
            vec!["token 3 log:0 USDC shop 2"],
        ),
        (
            "USDT from a blacklisted sender",
            vec![
                set(USDT, Change::Blacklist(me())),
                usdt(1),
                usdc(2),
                set(USDT, Change::Unblacklist(me())),
                usdt(3),
            ],
            vec!["token 2 log:0 USDC shop 2", "token 4 log:0 USDT shop 3"],
        ),
        (
            "to somebody blacklisted: USDT does not mind",
            vec![
                set(USDT, Change::Blacklist(SHOP)),
                set(USDC, Change::Blacklist(SHOP)),
                usdt(1),
                usdc(2),
            ],
            vec!["token 2 log:0 USDT shop 1"],
        ),
        (
            "one refusal fails the whole transaction",
            vec![
                set(USDC, Change::Pause),
                Intent::tokens(
                    CONTRACT,
                    [USDT, USDC]
                        .map(|token| Move {
                            token,
                            from: None,
                            to: SHOP,
                            amount: units(1),
                        })
                        .into(),
                )
                .with_value(units(3)),
            ],
            vec![],
        ),
    ])
    .await;
}

#[tokio::test]
async fn ether_that_contracts_send() {
    let pay = |amount| Frame::call(SHOP, units(amount));
    check(vec![
        (
            "a batch, of which one payment reverts",
            vec![
                Intent::batch(CONTRACT, vec![pay(1), pay(2).reverted(), pay(3)])
                    .with_value(units(6)),
            ],
            vec![
                "top 0 tx ether contract 6",
                "inner 0 trace:0 ether shop 1",
                "inner 0 trace:2 ether shop 3",
            ],
        ),
        (
            "deep, and a reverted call takes all below with it",
            vec![Intent::batch(
                CONTRACT,
                vec![
                    Frame::call(OTHER, U256::ZERO).with(vec![Frame::static_call(USDT), pay(4)]),
                    Frame::call(OTHER, units(5)).with(vec![pay(6)]).reverted(),
                ],
            )],
            vec!["inner 0 trace:0.1 ether shop 4"],
        ),
        (
            "a delegated call's value does not move; what it calls pays",
            vec![Intent::batch(
                CONTRACT,
                vec![Frame::delegate_call(SHOP, units(7)).with(vec![pay(8)])],
            )],
            vec!["inner 0 trace:0.0 ether shop 8"],
        ),
        (
            "the end of a contract, and a new one",
            vec![Intent::batch(
                CONTRACT,
                vec![
                    Frame::self_destruct(SHOP, units(9)),
                    Frame::create(OTHER, units(10)),
                ],
            )],
            vec![
                "inner 0 trace:0 ether shop 9",
                "inner 0 trace:1 ether other 10",
            ],
        ),
        (
            "a constructor pays",
            vec![Intent::create(units(11), vec![pay(11)])],
            vec!["inner 0 trace:0 ether shop 11"],
        ),
        (
            "a contract pays itself, and nothing",
            vec![Intent::batch(
                CONTRACT,
                vec![
                    Frame::call(CONTRACT, units(1)),
                    Frame::call(SHOP, U256::ZERO),
                ],
            )],
            vec![],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_failing_transaction_credits_nothing() {
    let all = [
        ether(1),
        usdt(2),
        Intent::batch(CONTRACT, vec![Frame::call(SHOP, units(3))]).with_value(units(3)),
        Intent::create(units(4), vec![Frame::call(SHOP, units(4))]),
        Intent::administer(USDT, Change::Pause),
    ];
    let mut rig = Rig::new().await;
    let mut sender = Sender::new(CHAIN_ID, 1);
    let mut failing: Vec<Tx> = all
        .into_iter()
        .map(|intent| sender.sign(intent).failing())
        .collect();
    failing.push(sender.sign(usdt(9)));
    let block = rig.mine(failing);
    let expected = ["token 5 log:0 USDT shop 9"];
    assert_eq!(rig.agrees(block, "failing").await, expected);
}

#[tokio::test]
async fn logs_of_moved_ether_credit_nothing_beside_the_ether() {
    let cases = vec![
        (
            "top level, and tokens after it",
            vec![usdt(7).with_value(units(2))],
            vec!["top 0 tx ether USDT 2", "token 0 log:1 USDT shop 7"],
        ),
        (
            "inner",
            vec![Intent::batch(CONTRACT, vec![Frame::call(SHOP, units(3))])],
            vec!["inner 0 trace:0 ether shop 3"],
        ),
    ];
    check_on(|| chain().with_system_logs(), cases).await;
}

#[tokio::test]
async fn empty_blocks_withdrawals_and_large_blocks() {
    let mut rig = Rig::new().await;
    let empty = rig.mine(Vec::new());
    assert!(rig.agrees(empty, "empty").await.is_empty());
    let withdrawing = rig.mine(Contents {
        transactions: Vec::new(),
        withdrawals: vec![(SHOP, 32_000_000_000), (OTHER, 1)],
    });
    assert!(rig.agrees(withdrawing, "withdrawals").await.is_empty());
    let latest = serde_json::json!(["latest", false]);
    let latest = rig.world().call("eth_getBlockByNumber", latest).unwrap();
    assert_eq!(latest["withdrawals"][0]["amount"], "0x773594000");
    assert_eq!(latest["withdrawals"].as_array().map(Vec::len), Some(2));
    let mut sender = Sender::new(CHAIN_ID, 1);
    let transactions: Vec<Tx> = (0..200)
        .map(|n| sender.sign(if n % 2 == 0 { usdt(n + 1) } else { ether(n) }))
        .collect();
    let large = rig.mine(transactions);
    assert_eq!(rig.agrees(large, "200 transactions").await.len(), 200);
}

//! What a payment waits for, and why a person should look at it.

use super::*;

#[test]
fn what_holds_a_verdict_back_is_said() {
    let mut payment = payment();
    payment.scan.scanned_to = None;
    let view = ChainView {
        healthy: false,
        frozen: Some(FreezeReason::BelowFinality),
        ..view(10)
    };
    let said = explain(&payment, &view, CREATED);
    assert!(said[2].starts_with("Past blocks are still being scanned"));
    assert!(said[3].starts_with("The node of bitcoin was not healthy"));
    assert_eq!(
        said[4],
        "bitcoin is frozen, because its node contradicts a block that was final: no payment may \
         rise."
    );
}

#[test]
fn a_hold_is_told_with_what_was_refused() {
    let mut payment = with(Status::Confirming, None);
    payment.judged.needs_review = true;
    payment.history.held = Some(Hold {
        at: CREATED,
        status: Status::Paid,
        problem: "no such step".to_owned(),
    });
    let said = explain(&payment, &view(11), CREATED).join("\n");
    let refused = "At 2026-11-21 23:52:48Z the database refused to make it paid (\"no such step\")";
    for part in [
        refused,
        "A person should look: the database refused a change of it.",
    ] {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
}

#[test]
fn each_wait_has_its_sentence() {
    let end = UnixMs(DEADLINE.0 - 1);
    let payment_that_is = |status| Payment {
        judged: Judgement {
            watch_until_at: (status == Status::Expired).then_some(end),
            ..judgement(status, None)
        },
        ..payment()
    };
    let cases = [
        (
            Status::Confirming,
            Wait::Cursor(Height(12)),
            Some("It is judged again at block 12, 1 block from now."),
        ),
        (
            Status::Confirming,
            Wait::Safe(Height(10)),
            Some("It is judged again once block 10 is safe; 8 is so far."),
        ),
        (
            Status::Confirming,
            Wait::Final(Height(10)),
            Some("It is judged again once block 10 is final; 7 is so far."),
        ),
        (
            Status::Paid,
            Wait::Final(Height(10)),
            Some("It becomes final once block 10 is final."),
        ),
        (
            Status::Confirming,
            Wait::Agreement(Height(11)),
            Some("It waits until enough operators hold our block 11, which buries its money."),
        ),
        (
            Status::New,
            Wait::Poll(DEADLINE),
            Some(
                "If nothing more comes, its deadline is judged by the first full look at the \
                 node after 2026-11-22 00:12:48Z.",
            ),
        ),
        (
            Status::Pending,
            Wait::Poll(DEADLINE),
            Some("If its transaction is in no block by 2026-11-22 00:12:48Z, it becomes invalid."),
        ),
        (Status::Expired, Wait::Poll(DEADLINE), None),
    ];
    for (status, wait, expected) in cases {
        let payment = payment_that_is(status);
        let view = ChainView {
            finalized: Some(Height(7)),
            safe: Some(Height(8)),
            ..view(11)
        };
        let case = Case {
            payment: &payment,
            view: &view,
            now: CREATED,
        };
        assert_eq!(case.wait(wait).as_deref(), expected, "{wait:?}");
    }
}

#[test]
fn each_cause_for_review_has_its_sentence() {
    let txid = "ab".repeat(32);
    let about = |about| Cause::Money(about, TXID);
    let cases = [
        (
            Cause::Reversal(1),
            "it was paid, and that was withdrawn".to_owned(),
        ),
        (
            Cause::Reversal(2),
            "it was paid, and that was withdrawn 2 times".to_owned(),
        ),
        (
            Cause::ScanRefused(ScanFrom::Height(Height(1))),
            "money may stand in past blocks that cannot be scanned".to_owned(),
        ),
        (
            Cause::Impossible(Status::Expired),
            "what came calls for expired, and no step leads there from invalid".to_owned(),
        ),
        (
            Cause::Invalid(Some(Reason::Split)),
            "it is invalid, because several transactions came and none of them suffices alone"
                .to_owned(),
        ),
        (
            about(About::WrongAsset),
            format!("transaction {txid} is of another asset"),
        ),
        (
            about(About::AfterRefund),
            format!("transaction {txid} came after the money was returned"),
        ),
    ];
    let mut payment = with(Status::Invalid, Some(Reason::Split));
    payment.judged.needs_review = true;
    for (cause, expected) in cases {
        let explanation = Explanation {
            causes: vec![cause],
            ..Explanation::default()
        };
        let said = tell(&payment, &view(11), CREATED, &explanation);
        let expected = format!("A person should look: {expected}.");
        assert!(said.contains(&expected), "no {expected:?} in {said:?}");
    }
}

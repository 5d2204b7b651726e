//! The main way, once on each chain.

use super::check;

#[test]
fn an_exact_bitcoin_payment_becomes_paid_at_depth() {
    check(
        "BTC 0.4",
        "
        see a=0.4   => pending txid=a told=transfer,status reviewed
        wait 9m     => pending
        mine a      => confirming counted=0.4 short=0 told=transfer,status
        blocks 1    => paid/exact flags= a:counted reviewed unfinal told=status
        blocks 97   => paid/exact unfinal
        blocks 1    => paid/exact final told=finalized
        ",
    );
}

#[test]
fn an_exact_token_payment_becomes_paid_at_depth() {
    check(
        "USDT 25",
        "
        mine a=25   => confirming received=25
        blocks 4    => confirming
        blocks 1    => paid/exact unfinal
        finalize    => paid/exact final told=finalized
        ",
    );
}

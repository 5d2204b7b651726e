//! Keeping our own secrets, and a node's unprintable words, out of every text.

use crate::config::percent_decoded;
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

/// The most that is repeated of what a node says, in characters: enough to understand it.
const MAX_REMOTE_CHARS: usize = 200;

/// Path segments shorter than this are versions and names (`v3`, `rpc`), not keys.
const MIN_KEY_LEN: usize = 4;

/// What stands where a secret stood.
const HIDDEN: &str = "***";

/// The text with every secret hidden, printable characters only, and cut to a bearable length.
pub(super) fn scrub(text: &str, secrets: &[SecretString]) -> String {
    let hidden = secrets.iter().fold(text.to_owned(), |text, secret| {
        let secret = secret.expose_secret();
        if secret.is_empty() {
            text
        } else {
            text.replace(secret, HIDDEN)
        }
    });
    hidden
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_REMOTE_CHARS)
        .collect()
}

/// A text about a connection to this URL, without what in the URL may be a key.
pub(in crate::chain) fn scrubbed(text: &str, url: &Url) -> String {
    scrub(text, &of_url(url))
}

/// Everything in a URL that may be a key: user, password, path segments, query; each as it
/// stands there, and as it is without the escapes of URLs; and how one signs in with the first two.
pub(super) fn of_url(url: &Url) -> Vec<SecretString> {
    let path = url
        .path_segments()
        .into_iter()
        .flatten()
        .filter(|segment| segment.len() >= MIN_KEY_LEN)
        .map(str::to_owned);
    let query = url.query().map(str::to_owned);
    let written = url.query().into_iter().flat_map(|query| query.split('&'));
    let written = written.filter_map(|pair| Some(pair.split_once('=')?.1.to_owned()));
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    let user = [url.username(), url.password().unwrap_or_default()].map(str::to_owned);
    let login = STANDARD.encode(user.each_ref().map(|text| percent_decoded(text)).join(":"));
    let login = (!url.username().is_empty()).then_some(login);
    let found = path.chain(query).chain(written).chain(values);
    let found = found.chain(user).chain(login);
    let mut found: Vec<String> = found
        .flat_map(|text| [percent_decoded(&text), text])
        .filter(|text| !text.is_empty())
        .collect();
    found.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    found.dedup();
    found.into_iter().map(SecretString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // shows: S10
    #[test]
    fn secrets_of_a_url_are_hidden_wherever_a_node_repeats_them() {
        let url =
            Url::parse("https://us3r:pa55@host.example:8545/v3/k3y0f0urs?token=t0ken").unwrap();
        let said = "bad key k3y0f0urs (token t0ken, token=t0ken) for us3r:pa55 at /v3/";
        let shown = scrub(said, &of_url(&url));
        assert_eq!(shown, "bad key *** (token ***, ***) for ***:*** at /v3/");
    }

    #[test]
    fn secrets_are_hidden_with_and_without_their_escapes() {
        let url = Url::parse("https://us%65r:p%40ss@host.example/k%2Fey?q=a%26b").unwrap();
        let said = "no p%40ss or p@ss for us%65r user; k%2Fey k/ey a%26b a&b";
        assert_eq!(
            scrub(said, &of_url(&url)),
            "no *** or *** for *** ***; *** *** *** ***"
        );
    }

    #[test]
    fn what_one_signs_in_with_is_hidden_as_it_is_sent() {
        let url = Url::parse("https://me:p%40w%3A@host.example/").unwrap();
        let said = "authorization: Basic bWU6cEB3Og== refused";
        let shown = scrub(said, &of_url(&url));
        assert_eq!(shown, "authorization: Basic *** refused");
    }

    #[test]
    fn remote_words_are_cut_and_made_printable() {
        let shown = scrub(&"a\u{1b}[31m\n".repeat(1000), &[]);
        assert_eq!(shown.chars().count(), MAX_REMOTE_CHARS);
        assert!(!shown.contains(['\u{1b}', '\n']));
    }
}

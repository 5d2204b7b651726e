//! Addresses as people write them, to the exact script that a payment is recognised by.

use super::wire::network_name;
use crate::domain::facts::Destination;
use bitcoin::{
    Address, AddressType, Network, WitnessVersion,
    address::{NetworkUnchecked, ParseError},
};

/// Why a text is no address to be paid at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A typing error, a wrong checksum, or something else altogether.
    #[error("is no Bitcoin address: {0}")]
    Malformed(String),
    /// It belongs elsewhere.
    #[error("is an address of {found}, not of {expected}")]
    WrongNetwork {
        /// Where it belongs.
        found: &'static str,
        /// Where it should belong.
        expected: &'static str,
    },
    /// Money sent there belongs to anybody, and always will.
    #[error(
        "is of a kind that no wallet can own: a witness program of version 1 that is not taproot's"
    )]
    Nobodys,
}

/// The longest address is 90 characters (BIP 173); more is not even looked at.
const MAX_ADDRESS_LEN: usize = 90;

/// Reads an address of `network`: its script, and the address as it is written canonically
/// (bech32 in lower case; BIP 173, BIP 350).
///
/// # Errors
/// See [`AddressError`].
pub fn parse(text: &str, network: Network) -> Result<(Destination, String), AddressError> {
    if text.len() > MAX_ADDRESS_LEN {
        return Err(AddressError::Malformed("too long".into()));
    }
    let unchecked: Address<NetworkUnchecked> = text
        .parse()
        .map_err(|error: ParseError| malformed(text, &error))?;
    if !unchecked.is_valid_for_network(network) {
        return Err(AddressError::WrongNetwork {
            found: home(&unchecked),
            expected: network_name(network),
        });
    }
    let address = unchecked.assume_checked();
    if is_nobodys(&address) {
        return Err(AddressError::Nobodys);
    }
    let destination = Destination::new(address.script_pubkey().as_bytes())
        .ok_or_else(|| AddressError::Malformed("too long".into()))?;
    Ok((destination, address.to_string()))
}

/// Whether no rule guards what is paid there, and none will: of version 1, rules are taproot's alone
/// (BIP 341). What a version to come means, its owner knows when it has come; we match its bytes.
fn is_nobodys(address: &Address) -> bool {
    let program = address.witness_program();
    let is_first = program.is_some_and(|program| program.version() == WitnessVersion::V1);
    is_first && address.address_type() != Some(AddressType::P2tr)
}

/// The library tries bech32 first and base58 then, and tells only of the latter.
fn malformed(text: &str, error: &ParseError) -> AddressError {
    let segwit = bitcoin::bech32::segwit::decode(text);
    AddressError::Malformed(match segwit {
        Err(error) if looks_like_bech32(text) => error.to_string(),
        Ok(_) | Err(_) => error.to_string(),
    })
}

fn looks_like_bech32(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["bc1", "tb1", "bcrt1"]
        .iter()
        .any(|prefix| text.starts_with(prefix))
}

fn home(address: &Address<NetworkUnchecked>) -> &'static str {
    if address.is_valid_for_network(Network::Bitcoin) {
        "mainnet"
    } else if address.is_valid_for_network(Network::Signet) {
        "a test network"
    } else {
        "regtest"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENESIS: &str = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa";
    const TAPROOT: &str = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0";

    #[test]
    fn every_kind_of_address_names_its_exact_script() {
        for (network, text, script) in [
            (
                Network::Bitcoin,
                GENESIS,
                "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac",
            ),
            (
                Network::Bitcoin,
                "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
                "a914b472a266d0bd89c13706a4132ccfb16f7c3b9fcb87",
            ),
            (
                Network::Bitcoin,
                "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
                "0014751e76e8199196d454941c45d1b3a323f1433bd6",
            ),
            (
                Network::Signet,
                "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
                "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
            ),
            (
                Network::Bitcoin,
                TAPROOT,
                "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
            ),
            // Versions to come (BIP 350's examples).
            (
                Network::Bitcoin,
                "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
                "5210751e76e8199196d454941c45d1b3a323",
            ),
            (Network::Bitcoin, "bc1sw50qgdz25j", "6002751e"),
        ] {
            let (destination, canonical) = parse(text, network).unwrap();
            assert_eq!(format!("{destination:?}"), script, "{text}");
            assert_eq!(canonical, text);
        }
    }

    #[test]
    fn bech32_is_written_in_lower_case_and_never_mixed() {
        let (upper, canonical) = parse(&TAPROOT.to_uppercase(), Network::Bitcoin).unwrap();
        assert_eq!(canonical, TAPROOT);
        assert_eq!(upper, parse(TAPROOT, Network::Bitcoin).unwrap().0);
        let mixed = TAPROOT.replacen("xlx", "XLX", 1);
        assert!(matches!(
            parse(&mixed, Network::Bitcoin),
            Err(AddressError::Malformed(_))
        ));
    }

    #[test]
    fn each_network_takes_its_own_addresses_alone() {
        let test_networks = [Network::Testnet4, Network::Signet];
        let not_mainnet = [Network::Testnet4, Network::Signet, Network::Regtest];
        let cases: [(&[Network], &[&str]); 4] = [
            (
                &[Network::Bitcoin],
                &[
                    GENESIS,
                    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
                    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
                    TAPROOT,
                ],
            ),
            (
                &test_networks,
                &["tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"],
            ),
            (
                &[Network::Regtest],
                &["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"],
            ),
            // Base58 is the same wherever nothing is worth anything.
            (
                &not_mainnet,
                &[
                    "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn",
                    "2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc",
                ],
            ),
        ];
        let networks = [&[Network::Bitcoin][..], &not_mainnet].concat();
        for (own, texts) in cases {
            for (text, network) in texts
                .iter()
                .flat_map(|text| networks.iter().map(move |network| (text, *network)))
            {
                let found = parse(text, network);
                if own.contains(&network) {
                    assert_eq!(found.unwrap().1, *text, "{network}");
                } else {
                    let refused = matches!(found, Err(AddressError::WrongNetwork { .. }));
                    assert!(refused, "{text} on {network}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn an_address_of_another_network_is_refused_by_name() {
        for (text, network, words) in [
            (
                GENESIS,
                Network::Regtest,
                "is an address of mainnet, not of regtest",
            ),
            (
                TAPROOT,
                Network::Testnet4,
                "is an address of mainnet, not of testnet4",
            ),
            (
                "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
                Network::Bitcoin,
                "is an address of a test network, not of mainnet",
            ),
            (
                "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
                Network::Bitcoin,
                "is an address of regtest, not of mainnet",
            ),
        ] {
            assert_eq!(
                parse(text, network).unwrap_err().to_string(),
                words,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_address_or_nobodys_is_refused() {
        let long = "1".repeat(1000);
        for (text, words) in [
            ("", "is no Bitcoin address"),
            ("hello", "is no Bitcoin address"),
            (
                " 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
                "is no Bitcoin address",
            ),
            (
                "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
                "is no Bitcoin address",
            ),
            (
                "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
                "is no Bitcoin address",
            ),
            // A taproot address with the checksum of BIP 173 instead of BIP 350.
            (
                "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
                "is no Bitcoin address",
            ),
            // So is one of version 2, and one of version 16.
            (
                "bc1zw508d6qejxtdg4y5r3zarvaryvg6kdaj",
                "is no Bitcoin address",
            ),
            ("BC1SW50QA3JX3S", "is no Bitcoin address"),
            // A version 0 program of 16 bytes.
            (
                "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
                "is no Bitcoin address",
            ),
            (&long, "is no Bitcoin address: too long"),
            (
                "0x52908400098527886E0F7030069857D2E4169EE7",
                "is no Bitcoin address",
            ),
            // The anchor that anybody may spend, and what else of version 1 is not taproot's.
            ("bc1pfeessrawgf", "is of a kind"),
            (
                "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
                "is of a kind",
            ),
        ] {
            let error = parse(text, Network::Bitcoin).unwrap_err().to_string();
            assert!(error.starts_with(words), "{text}: {error}");
        }
    }
}

//! What errors of several endpoints mean together.

use crate::chain::SourceError;

/// The errors of all endpoints as one, the same whoever was asked first: it is told once. An operator
/// must act only when that is so at all of them.
pub(super) fn all_failed(errors: &[SourceError]) -> SourceError {
    let mut texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    texts.sort_unstable();
    let text = texts.join("; ");
    let is = |kind: fn(&SourceError) -> bool| errors.iter().any(kind);
    if errors.is_empty() {
        SourceError::Permanent("no endpoint is configured".to_owned())
    } else if is(|error| matches!(error, SourceError::Transient(_))) {
        SourceError::Transient(text)
    } else if is(|error| matches!(error, SourceError::Behind(_))) {
        SourceError::Behind(text)
    } else {
        SourceError::Permanent(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_endpoint_can_mend_is_an_operator_s_matter() {
        let transient = || SourceError::Transient("busy".to_owned());
        let behind = || SourceError::Behind("low".to_owned());
        let permanent = || SourceError::Permanent("other chain".to_owned());
        for (errors, expected) in [
            (vec![transient()], transient()),
            (vec![behind()], behind()),
            (vec![permanent()], permanent()),
            (
                vec![permanent(), transient()],
                SourceError::Transient("busy; other chain".to_owned()),
            ),
            (
                vec![behind(), transient()],
                SourceError::Transient("busy; low".to_owned()),
            ),
            (
                vec![permanent(), behind()],
                SourceError::Behind("low; other chain".to_owned()),
            ),
            (
                vec![permanent(), permanent()],
                SourceError::Permanent("other chain; other chain".to_owned()),
            ),
        ] {
            assert_eq!(all_failed(&errors), expected);
        }
    }
}

//! Errors for people.

/// An error and its causes, each said once: most messages quote their cause already.
pub fn told(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.as_str() {
        "" => cause,
        text if text.contains(&cause) => told,
        text => format!("{text}: {cause}"),
    })
}

//! Reports: whether they can be kept where an argument says, and files of them that lie in a bucket.

use std::time::Duration as Time;

use crate::{
    api::duration::Duration,
    app::fetch_report,
    host::place::PlaceError,
    reports::{ReportsAt, open},
};

/// Whether everything is there that it takes to keep reports at that place; says what is not. Asks nobody.
pub fn usable(at: &ReportsAt) -> bool {
    match open(at) {
        Ok(_) => true,
        Err(error) => {
            eprintln!("usersync: --reports: {error}");
            false
        }
    }
}

/// How long reports are kept, at least a second.
pub fn ttl(text: &str) -> Result<Time, String> {
    let ttl: Duration = text.parse().map_err(|error| format!("{error}"))?;
    if ttl.get() < Time::from_secs(1) {
        return Err("reports are kept for a second at least".to_owned());
    }
    Ok(ttl.get())
}

/// Whether a file of a report lies in a bucket.
pub fn in_a_bucket(address: &str) -> bool {
    address.starts_with("s3://")
}

/// A file of a report that lies in a bucket, fetched with what the environment says.
pub async fn fetched(address: &str) -> Result<Vec<u8>, PlaceError> {
    match fetch_report(address).await {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(PlaceError::Missing(format!(
            "{address} is not there any more: it was older than the operator keeps reports"
        ))),
        Err(error) => Err(PlaceError::Failed(format!(
            "{error:#}. The file is {address}: fetch it from there, or set the variables that this needs"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_live_for_a_while() {
        assert_eq!(ttl("90d"), Ok(Time::from_secs(90 * 86_400)));
        for bad in ["", "0s", "999ms", "forever", "90"] {
            assert!(ttl(bad).is_err(), "{bad}");
        }
    }
}

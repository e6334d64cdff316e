//! Reports: whether they can be kept where an argument says, and files of them that lie in a bucket.

use std::time::Duration as Time;

use crate::{
    api::{UserSyncRun, duration::Duration},
    host::place::{Kept, Place, PlaceError, absent, may_be_of},
    reports::{FetchError, ReportsAt, fetch, open},
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

/// A file of a run's report, wherever it is.
pub async fn kept(place: &dyn Place, run: &UserSyncRun, kept: Kept) -> Result<Vec<u8>, PlaceError> {
    let address = kept.address(run)?;
    if !in_a_bucket(&address) {
        return place.kept(run, kept).await;
    }
    if !may_be_of(run, &address) {
        return Err(PlaceError::Failed(format!("the run's status names {address}, which is no file of its report")));
    }
    match fetch(&address).await {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(absent(run, &address)),
        Err(FetchError::Store(why)) => Err(PlaceError::Failed(why.to_string())),
        Err(FetchError::Environment(why)) => Err(PlaceError::Failed(match place.inside(run, kept) {
            Some(how) => format!("{why}. Or let the operator's pod print it, which has what that takes: {how}"),
            None => why,
        })),
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

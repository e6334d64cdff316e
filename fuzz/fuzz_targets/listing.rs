//! Any bytes as a folder's listing: each line is an entry whose name stays in the folder, or a reason that can be printed.
//! The parsers' own files are compiled here, not the product around them: that takes seconds instead of minutes.
#![no_main]
#![allow(dead_code, unused_imports)]

use libfuzzer_sys::fuzz_target;

#[path = "../../src/model/file.rs"]
mod file;
#[path = "../../src/source/ftp/listing/mod.rs"]
mod listing;
#[path = "../../src/sync/render/text.rs"]
mod text;

mod model {
    pub(crate) use crate::file;
}
mod sync {
    pub mod render {
        pub(crate) use crate::text;
    }
}

fuzz_target!(|listing: &[u8]| {
    let list = listing::List::new(jiff::Timestamp::from_second(1_795_410_000).unwrap());
    for line in listing.split_inclusive(|byte| *byte == b'\n') {
        for parsed in [list.line(line), listing::mlsd(line)] {
            match parsed {
                Ok(Some(entry)) => {
                    let name = entry.listed.name;
                    assert!(!matches!(name.as_str(), "" | "." | "..") && !name.contains(['/', '\0', '\r', '\n']));
                    assert!(name.len() <= 2 * line.len());
                }
                Ok(None) => {}
                Err(malformed) => {
                    let said = malformed.to_string();
                    assert!(said.len() < 2_000 && said.chars().all(|letter| !letter.is_control()));
                }
            }
        }
        let _ = (listing::mlst(line), listing::time(line));
    }
});

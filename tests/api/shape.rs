//! Enums, patterns and bounds: what the schema itself refuses.

use usersync::api::{UserSync, crd::schema};

use super::cases::{refused_values, taken_values, whole, with};

#[test]
fn the_schema_refuses_what_makes_no_sense() {
    let schema = jsonschema::validator_for(&schema::<UserSync>()).unwrap();
    assert!(schema.is_valid(&whole()));
    for (path, value) in refused_values() {
        assert!(!schema.is_valid(&with(whole(), &[(path, value.clone())])), "{path}: {value}");
    }
}

#[test]
fn the_schema_takes_every_form_of_a_value() {
    let schema = jsonschema::validator_for(&schema::<UserSync>()).unwrap();
    for (path, value) in taken_values() {
        assert!(schema.is_valid(&with(whole(), &[(path, value.clone())])), "{path}: {value}");
    }
}

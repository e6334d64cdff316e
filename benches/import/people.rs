//! Made-up people as a company's HR system would export them: the same for the same seed, each row by its number alone, so
//! that ten million of them need no memory.

use std::io::{self, Write};

/// The file's header.
pub const HEADER: &str = "employee_id,first_name,last_name,email,phone,department,job_title,location,country,cost_center,\
                          manager_id,start_date,language,active";

/// Which people, and how they differ from those of the first file.
#[derive(Clone, Copy, Debug)]
pub struct People {
    /// How many there were at first.
    pub rows: u64,
    /// Another seed, other people.
    pub seed: u64,
    /// How many in a hundred have another phone number and job title than at first.
    pub changed: f64,
    /// How many in a hundred are gone.
    pub gone: f64,
}

impl People {
    /// As many as that, none changed, none gone.
    pub fn new(rows: u64) -> Self {
        Self { rows, seed: 1, changed: 0.0, gone: 0.0 }
    }

    /// Writes them as CSV and says how many rows there were and how many of them are changed.
    pub fn write(&self, into: &mut impl Write) -> io::Result<(u64, u64)> {
        writeln!(into, "{HEADER}")?;
        let (mut written, mut changed) = (0, 0);
        for number in 1..=self.rows {
            if self.chosen(number, Part::Gone, self.gone) {
                continue;
            }
            let is_changed = self.chosen(number, Part::Changed, self.changed);
            self.row(number, is_changed, into)?;
            written += 1;
            changed += u64::from(is_changed);
        }
        into.flush()?;
        Ok((written, changed))
    }

    /// The numbers of those who are gone if so many in a hundred are.
    pub fn numbers_gone(&self, percent: f64) -> impl Iterator<Item = u64> {
        (1..=self.rows).filter(move |number| self.chosen(*number, Part::Gone, percent))
    }

    /// Writes every so manieth of them as CSV, so many in a hundred changed.
    pub fn every(&self, step: u64, changed: f64, into: &mut impl Write) -> io::Result<()> {
        writeln!(into, "{HEADER}")?;
        for number in (1..=self.rows).step_by(usize::try_from(step).unwrap_or(1)) {
            self.row(number, self.chosen(number, Part::Changed, changed), into)?;
        }
        Ok(())
    }

    fn row(&self, number: u64, changed: bool, into: &mut impl Write) -> io::Result<()> {
        let (first, first_ascii) = self.pick(number, Part::First, FIRST);
        let (last, last_ascii) = self.pick(number, Part::Last, LAST);
        let (city, country, code, language) = *self.pick(number, Part::Place, PLACES);
        let department = self.pick(number, Part::Department, DEPARTMENTS);
        let title = self.pick(number, if changed { Part::NewTitle } else { Part::Title }, TITLES);
        write!(into, "E{number:07},{first},{last},{first_ascii}.{last_ascii}{number}@example.com,")?;
        // A new number always differs from the old one by its last digit, and is never an empty cell.
        let phone = self.hash(number, Part::Phone) % 100_000;
        match (changed, self.chosen(number, Part::NoPhone, 3.0)) {
            (true, _) => write!(into, "{code} 555 {:06}", phone * 10 + 1)?,
            (false, false) => write!(into, "{code} 555 {:06}", phone * 10)?,
            (false, true) => {}
        }
        let manager = 1 + self.hash(number, Part::Manager) % (self.rows / 12 + 1);
        let day = self.hash(number, Part::Start);
        let active = self.chosen(number, Part::Active, 97.0);
        writeln!(
            into,
            ",{department},{title},{city},{country},CC-{},E{manager:07},{}-{:02}-{:02},{language},{active}",
            4000 + self.hash(number, Part::CostCenter) % 900,
            1990 + day % 36,
            1 + day / 36 % 12,
            1 + day / 432 % 28,
        )
    }

    fn pick<'a, T>(&self, number: u64, part: Part, from: &'a [T]) -> &'a T {
        &from[(self.hash(number, part) % from.len() as u64) as usize]
    }

    fn chosen(&self, number: u64, part: Part, percent: f64) -> bool {
        percent > 0.0 && (self.hash(number, part) % 1_000_000) as f64 <= percent * 10_000.0
    }

    /// SplitMix64: see <https://prng.di.unimi.it/splitmix64.c>.
    fn hash(&self, number: u64, part: Part) -> u64 {
        let mut x = (number ^ self.seed << 40 ^ (part as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }
}

/// What a number is drawn for: each has a series of its own.
#[derive(Clone, Copy)]
enum Part {
    First = 1,
    Last,
    Place,
    Department,
    Title,
    NewTitle,
    Phone,
    NoPhone,
    Manager,
    Start,
    CostCenter,
    Active,
    Changed,
    Gone,
}

/// First names, and how an e-mail address writes them.
const FIRST: &[(&str, &str)] = &[
    ("Anna", "anna"),
    ("Ben", "ben"),
    ("Björn", "bjoern"),
    ("Chloé", "chloe"),
    ("Daniel", "daniel"),
    ("Elif", "elif"),
    ("François", "francois"),
    ("Grażyna", "grazyna"),
    ("Håkon", "hakon"),
    ("Ida", "ida"),
    ("Jürgen", "juergen"),
    ("Katharina", "katharina"),
    ("Łukasz", "lukasz"),
    ("Maria", "maria"),
    ("Noël", "noel"),
    ("Ömer", "oemer"),
    ("Paula", "paula"),
    ("Ruth", "ruth"),
    ("Søren", "soeren"),
    ("Tomasz", "tomasz"),
    ("Ursula", "ursula"),
    ("Vera", "vera"),
    ("Wojciech", "wojciech"),
    ("Zoë", "zoe"),
];

/// Last names, and how an e-mail address writes them.
const LAST: &[(&str, &str)] = &[
    ("Åkesson", "akesson"),
    ("Bauer", "bauer"),
    ("Çelik", "celik"),
    ("Dvořák", "dvorak"),
    ("Fischer", "fischer"),
    ("García", "garcia"),
    ("Groß", "gross"),
    ("Hoffmann", "hoffmann"),
    ("Jørgensen", "joergensen"),
    ("König", "koenig"),
    ("Kowalski", "kowalski"),
    ("Lefèvre", "lefevre"),
    ("Meyer", "meyer"),
    ("Müller", "mueller"),
    ("Nowak", "nowak"),
    ("O'Brien", "obrien"),
    ("Rossi", "rossi"),
    ("Schäfer", "schaefer"),
    ("Schmidt", "schmidt"),
    ("Schröder", "schroeder"),
    ("Weber", "weber"),
    ("Wójcik", "wojcik"),
    ("Yılmaz", "yilmaz"),
    ("Zimmermann", "zimmermann"),
];

/// City, country, telephone code, language.
const PLACES: &[(&str, &str, &str, &str)] = &[
    ("Berlin", "DE", "+49 30", "de"),
    ("München", "DE", "+49 89", "de"),
    ("Köln", "DE", "+49 221", "de"),
    ("Wien", "AT", "+43 1", "de"),
    ("Zürich", "CH", "+41 44", "de"),
    ("Genève", "CH", "+41 22", "fr"),
    ("Paris", "FR", "+33 1", "fr"),
    ("Łódź", "PL", "+48 42", "pl"),
    ("Malmö", "SE", "+46 40", "sv"),
    ("København", "DK", "+45 33", "da"),
    ("Dublin", "IE", "+353 1", "en"),
];

const DEPARTMENTS: &[&str] = &[
    "Production",
    "Logistics",
    "Human Resources",
    "\"Research, Optics\"",
    "\"Research, Software\"",
    "Finance",
    "Quality",
    "Purchasing",
    "Sales North",
    "Sales South",
    "Facilities",
    "IT Operations",
];

const TITLES: &[&str] = &[
    "Engineer",
    "Senior Engineer",
    "Team Lead",
    "Technician",
    "Clerk",
    "Senior Clerk",
    "Account Manager",
    "Apprentice",
    "\"Head of \"\"Special Projects\"\"\"",
    "Analyst",
    "Planner",
    "Machine Operator",
    "Assistant",
];

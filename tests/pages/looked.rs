//! Each kind of report, made by the program from files, and looked at.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{letters, world::World};

/// Names from all over the world.
const PEOPLE: [(&str, &str); 12] = [
    ("Ada Lovelace", "ada.lovelace"),
    ("Jürgen Groß", "juergen.gross"),
    ("Zoë Ångström", "zoe.angstrom"),
    ("שרה כהן", "sarah.cohen"),
    ("محمد علي", "mohamed.ali"),
    ("李小龍", "li.xiaolong"),
    ("Nguyễn Thị Ánh", "nguyen.anh"),
    ("O'Brien, Séamus", "seamus.obrien"),
    ("Łukasz Żółć", "lukasz.zolc"),
    ("Ελένη Παππά", "eleni.pappa"),
    ("Дмитрий Иванов", "d.ivanov"),
    ("नेहा शर्मा", "neha.sharma"),
];

const HEADER: &str = "employee_id,Name,E-mail,Department,Salary band,Born\n";

/// The manifest of a company.
pub fn manifest() -> [&'static str; 4] {
    [
        "source: {directory: {path: inbox}}",
        "action: Mirror",
        "safeguards: {maxRemovals: \"40%\", maxEmptied: \"100%\"}",
        "mapping: {userId: {column: employee_id}, properties: [{property: display_name, column: Name, required: true}, {property: email, \
         column: [E-mail, Mail], type: Email}, {property: department, column: Department, default: Unknown}, {property: salary_band, \
         column: Salary band, sensitive: true}, {property: born, column: Born, type: Date}, {property: initials, expression: \
         \"row['Name'].size() > 0 ? row['Name'].substring(0, 1) : ''\", policy: OnCreate}]}",
    ]
}

/// A row for each number.
pub fn company(numbers: impl Iterator<Item = usize>, department: &str) -> String {
    let row = |n: usize| {
        let (name, mail) = PEOPLE[n % PEOPLE.len()];
        format!("E{n:05},\"{name}\",{mail}.{n}@example.com,{department},B{},1990-0{}-1{}\n", n % 7, n % 9 + 1, n % 9)
    };
    numbers.map(row).collect()
}

/// Rows with something wrong in each.
pub const WRONG: &str = "E90001,Ada,ada@@example.com,Sales,B1,1990-01-01\n\
    E90002,Bob,bob.example.com,Sales,B1,1990-01-01\n\
    E90003,Cem,cem@example.com,Sales,B1,31.12.1990\n\
    E90004,,dora@example.com,Sales,B1,1990-01-01\n\
    E90005,Eve,eve@example.com,Sales,B1,1990-02-30\n\
    E90001,Ada again,ada@example.com,Sales,B1,1990-01-01\n";

/// Rows of which nobody knows whom they are about.
const UNREADABLE: &str = ",Fay,fay@example.com,Sales,B1,1990-01-01\nE90006,Gus,gus@example.com,Sales\n";

/// Cells that try to be something else.
pub fn hostile() -> String {
    let cells = [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(2)>",
        "=cmd|' /C calc'!A0",
        "\u{202e}gnp.exe",
        "a\r\nBcc: eve@example.com",
        "{{7*7}}${7*7}",
        "</li></ul></main><h1>Owned</h1>",
        "javascript:alert(3)",
    ];
    let long = "W".repeat(1 << 19);
    let mut rows = String::new();
    for (n, cell) in cells.into_iter().chain([long.as_str()]).enumerate() {
        let cell = cell.replace('"', "\"\"");
        rows += &format!(
            "\"{n}-{}\",\"{cell}\",h{n}@example.com,\"{cell}\",B1,1990-01-01\n",
            &cell[..cell.len().min(40)].replace('\u{202e}', "")
        );
        rows += &format!("\"R{n}\",\"{cell}\",\"{cell}\",\"{cell}\",B1,\"{cell}\"\n");
    }
    rows
}

/// The pages, in one folder.
pub fn pages() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let keep = |world: &World, name: &str, args: &[&str]| {
        let one = world.run(args);
        let html = one.report_text(world, "html");
        fs::write(folder.join(format!("{name}.html")), html).unwrap();
        one
    };

    let world = World::new(&manifest());
    world.drop_file(format!("{HEADER}{}", company(1..1_301, "Sales")));
    assert_eq!(keep(&world, "first-import", &[]).code, 0);
    world.drop_file(format!(
        "{HEADER}{}{}{}{WRONG}",
        company(1..41, "Research and development"),
        company(61..1_301, "Sales"),
        company(2_001..2_013, "Support")
    ));
    assert_eq!(keep(&world, "simulated", &["--simulate"]).code, 4);
    let one = keep(&world, "imported", &[]);
    assert_eq!((one.code, one.count("rejected"), one.count("updated")), (4, 6, 40), "{one:?}");
    let rejects = one.report_text(&world, "rejects");
    world.write(
        "inbox/userdata_1_rejects.csv",
        rejects.replace("@@", "@").replace("bob.example", "bob@example").replace("31.12.1990", "1990-12-31"),
    );
    let one = keep(&world, "correction", &[]);
    assert_eq!((one.code, one.count("added"), one.count("rejected")), (4, 3, 3), "{one:?}");
    world.drop_file(format!("{HEADER}{}{WRONG}{UNREADABLE}", company(1..401, "Sales")));
    assert_eq!(keep(&world, "held", &[]).code, 3);
    world.drop_file("employee_id,Mail\nE1,a@example.com\n");
    assert_eq!(keep(&world, "failed", &[]).code, 1);

    let world = World::new(&manifest());
    world.drop_file(format!("{HEADER}{}", hostile()));
    assert_eq!(keep(&world, "hostile-held", &[]).code, 3);
    let mut open = manifest();
    open[2] = "safeguards: {maxRejected: \"100%\", maxRemovals: \"100%\"}";
    let world = World::new(&open);
    world.drop_file(format!("{HEADER}{}", hostile().replace("alert", "first")));
    world.run(&[]);
    world.write("inbox/userdata_\u{202e}<b>2.csv", format!("{HEADER}{}", hostile()));
    keep(&world, "hostile", &[]);

    let world = World::new(&manifest());
    world.write("inbox/people.txt", "x");
    assert_eq!(keep(&world, "nofile", &[]).code, 0);
    letters::write(&folder);
    folder
}

#[test]
fn pages_and_mails_in_a_browser() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = Command::new(root.join("tests/pages/build")).output().unwrap();
    assert!(made.status.success(), "tests/pages/build: {}", String::from_utf8_lossy(&made.stderr));
    let tools = String::from_utf8(made.stdout).unwrap();
    let chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let chromium = chromium.into_iter().find(|path| Path::new(path).exists());
    let chromium = chromium.expect("tests/run installs Debian's package chromium");
    let folder = pages();
    let looked = Command::new("node")
        .arg(root.join("tests/pages/look.mjs"))
        .arg(&folder)
        .env("PAGES_TOOLS", tools.trim())
        .env("CHROMIUM", chromium)
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&looked.stdout), String::from_utf8_lossy(&looked.stderr));
    assert!(looked.status.success(), "{said}\nthe pages are in {}", folder.display());
}

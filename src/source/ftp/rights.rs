//! Who may do what with the folder: a new folder in it gets the same rights, where the server says and takes them.

use super::{
    client::Client,
    errors::{Fault, Place},
    incoming::Incoming,
};
use crate::source::patience::Patience;

/// Gives a folder that was made just now the rights of the one it is in. Not every server says or takes rights: nothing is
/// lost then but that others may see less of it.
pub async fn copy(client: &mut Client, place: &Place, folder: &str) -> Result<(), Fault> {
    let mode = if client.offers.facts { by_facts(client).await? } else { by_list(client).await? };
    let Some(mode) = mode else { return Ok(()) };
    let reply = client.ask_about(&format!("SITE CHMOD {mode:03o}"), folder).await?;
    if !reply.done() {
        let said = reply.text();
        tracing::info!(folder = place.location(), made = folder, %said, "the server gave a new folder rights of its own");
    }
    Ok(())
}

async fn by_facts(client: &mut Client) -> Result<Option<u32>, Fault> {
    let reply = client.ask("MLST").await?;
    let text =
        String::from_utf8_lossy(reply.lines().nth(1).filter(|_| reply.done()).unwrap_or_default()).to_lowercase();
    let digits = text.split(';').find_map(|fact| fact.trim().strip_prefix("unix.mode="));
    Ok(digits.and_then(|digits| u32::from_str_radix(digits, 8).ok()).map(|mode| mode & 0o7777).filter(|mode| *mode > 0))
}

/// By the line of the folder itself in a listing with all names.
async fn by_list(client: &mut Client) -> Result<Option<u32>, Fault> {
    let stall = client.limits.stall;
    let patience = Patience::answer(&client.limits);
    let channel = match client.transfer("LIST -a", 0, &patience).await {
        Ok((channel, _)) => channel,
        Err(Fault::Refused(_)) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let mut incoming = Incoming::new(channel);
    let first = beginning(&mut incoming, &patience).await.inspect_err(|_| client.spoil())?;
    drop(incoming);
    client.reply(stall).await.inspect_err(|_| client.spoil())?;
    Ok(first
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_end)
        .filter(|line| line.ends_with(b" ."))
        .find_map(mode))
}

/// The beginning of a listing, which is read to its end: the folder itself is among the first names.
async fn beginning(incoming: &mut Incoming, patience: &Patience) -> Result<Vec<u8>, Fault> {
    let mut first = Vec::new();
    while let Some(part) = incoming.next(patience).await? {
        let room = 4096_usize.saturating_sub(first.len()).min(part.len());
        first.extend_from_slice(&part[..room]);
    }
    Ok(first)
}

/// `drwxrwsr-x` as a number.
fn mode(line: &[u8]) -> Option<u32> {
    let letters = line.get(1..10).filter(|_| line.first() == Some(&b'd'))?;
    let mut mode = 0;
    for (place, letter) in letters.iter().enumerate() {
        let bit = 0o400 >> place;
        // Beside "may be entered": set user, set group, only owners delete.
        let beside = 0o4000 >> (place / 3);
        mode |= match (letter, place % 3) {
            (b'r', 0) | (b'w', 1) | (b'x', 2) => bit,
            (b's', 2) | (b't', 2) => bit | beside,
            (b'S', 2) | (b'T', 2) => beside,
            (b'-', _) => 0,
            _ => return None,
        };
    }
    Some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_as_letters() {
        for (line, expected) in [
            ("drwxr-xr-x    2 0 0 4096 Nov 22 13:02 .", Some(0o755)),
            ("drwxrwsr-x    2 0 0 4096 Nov 22 13:02 .", Some(0o2775)),
            ("drwxrwxrwt    2 0 0 4096 Nov 22 13:02 .", Some(0o1777)),
            ("drws--S--T    2 0 0 4096 Nov 22 13:02 .", Some(0o7700)),
            ("d---------    2 0 0 4096 Nov 22 13:02 .", Some(0)),
            ("-rw-r--r--    1 0 0 4096 Nov 22 13:02 .", None),
            ("11-22-26  01:02PM       <DIR>          .", None),
            ("drwx", None),
        ] {
            assert_eq!(mode(line.as_bytes()), expected, "{line}");
        }
    }
}

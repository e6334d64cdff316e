//! A file is sent part by part, whatever its size: memory holds one part.

use std::path::Path;

use object_store::{ObjectStoreExt, PutPayload, aws::AmazonS3, path::Path as Key};
use tokio::{fs::File, io::AsyncReadExt};

use super::Failed;

/// Bytes of a part. A server takes 10,000 parts of an object, each but the last of at least 5 MiB (Amazon S3, "Multipart upload
/// limits"): 80 GiB.
const PART: usize = 8 << 20;

/// Sends a file. What is there under the key already is replaced at once, when all of it has come.
pub(super) async fn upload(client: &AmazonS3, key: &Key, file: &Path) -> Result<(), Failed> {
    let mut file = File::open(file).await?;
    let first = part(&mut file).await?;
    if first.len() < PART {
        client.put(key, PutPayload::from(first)).await?;
        return Ok(());
    }
    let mut parts = client.put_multipart(key).await?;
    let sent = async {
        let mut next = first;
        while !next.is_empty() {
            parts.put_part(PutPayload::from(next)).await?;
            next = part(&mut file).await?;
        }
        parts.complete().await?;
        Ok::<(), Failed>(())
    };
    let sent = sent.await;
    if sent.is_err() {
        // Parts without an end cost their owner room until a rule of the bucket removes them.
        let _ = parts.abort().await;
    }
    sent
}

/// The next bytes of the file; fewer than a part: these are the last.
async fn part(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(PART as u64).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

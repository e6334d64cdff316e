//! Rows that are set aside in a temporary file and found again by their place: memory holds digests only.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    marker::PhantomData,
    os::unix::fs::FileExt,
};

use serde::{Serialize, de::DeserializeOwned};

/// A file of records that is being written.
pub struct SpillWriter<T> {
    file: BufWriter<File>,
    at: u64,
    count: u64,
    frame: Vec<u8>,
    record: PhantomData<fn(T)>,
}

impl<T: Serialize> SpillWriter<T> {
    /// Writes into `file`, an empty file that can be read as well.
    pub fn new(file: File) -> Self {
        Self {
            file: BufWriter::with_capacity(256 << 10, file),
            at: 0,
            count: 0,
            frame: Vec::new(),
            record: PhantomData,
        }
    }

    /// Sets a record aside; its place finds it again.
    pub fn push(&mut self, record: &T) -> io::Result<u64> {
        let place = self.at;
        self.frame.clear();
        self.frame = postcard::to_extend(record, std::mem::take(&mut self.frame)).map_err(io::Error::other)?;
        let size = u32::try_from(self.frame.len()).map_err(io::Error::other)?;
        self.file.write_all(&size.to_le_bytes())?;
        self.file.write_all(&self.frame)?;
        self.at += 4 + u64::from(size);
        self.count += 1;
        Ok(place)
    }

    /// A record that was set aside before.
    pub fn at(&mut self, place: u64) -> io::Result<T>
    where
        T: DeserializeOwned,
    {
        self.file.flush()?;
        let mut size = [0; 4];
        self.file.get_ref().read_exact_at(&mut size, place)?;
        self.frame.resize(u32::from_le_bytes(size) as usize, 0);
        self.file.get_ref().read_exact_at(&mut self.frame, place + 4)?;
        postcard::from_bytes(&self.frame).map_err(io::Error::other)
    }

    /// All is written: the records can be read.
    pub fn finish(self) -> io::Result<Spill<T>> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Spill { file, size: self.at, count: self.count, record: PhantomData })
    }
}

/// Records that were set aside.
pub struct Spill<T> {
    file: File,
    size: u64,
    count: u64,
    record: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Spill<T> {
    /// How many records there are.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A reader that starts at the first record.
    pub fn read(&self) -> io::Result<SpillReader<T>> {
        let mut file = io::BufReader::with_capacity(64 << 10, self.file.try_clone()?);
        file.seek(SeekFrom::Start(0))?;
        Ok(SpillReader { file, at: 0, size: self.size, frame: Vec::new(), record: PhantomData })
    }
}

/// Reads records in order or by place. Readers of one spill share the file's cursor: use one at a time.
pub struct SpillReader<T> {
    file: io::BufReader<File>,
    at: u64,
    size: u64,
    frame: Vec<u8>,
    record: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> SpillReader<T> {
    /// The record in that place.
    pub fn at(&mut self, place: u64) -> io::Result<T> {
        // A relative seek keeps what is buffered: rows in file order are read as a stream.
        self.file.seek_relative(place as i64 - self.at as i64)?;
        self.at = place;
        self.record()
    }

    /// The place of the record that comes next.
    pub fn place(&self) -> u64 {
        self.at
    }

    fn record(&mut self) -> io::Result<T> {
        let mut size = [0; 4];
        self.file.read_exact(&mut size)?;
        let size = u32::from_le_bytes(size);
        self.frame.resize(size as usize, 0);
        self.file.read_exact(&mut self.frame)?;
        self.at += 4 + u64::from(size);
        postcard::from_bytes(&self.frame).map_err(io::Error::other)
    }
}

impl<T: DeserializeOwned> Iterator for SpillReader<T> {
    type Item = io::Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.at < self.size).then(|| self.record())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_by_place_and_in_order() {
        let mut writer = SpillWriter::<(u64, Option<String>)>::new(tempfile::tempfile().unwrap());
        let records: Vec<_> = (0..1_000).map(|n| (n, (n % 3 > 0).then(|| "ü".repeat(n as usize)))).collect();
        let places: Vec<_> = records.iter().map(|record| writer.push(record).unwrap()).collect();
        assert_eq!(writer.at(places[7]).unwrap(), records[7]);
        let spill = writer.finish().unwrap();
        assert_eq!(spill.len(), 1_000);
        assert_eq!(spill.read().unwrap().collect::<io::Result<Vec<_>>>().unwrap(), records);
        let mut reader = spill.read().unwrap();
        for n in [999, 0, 500, 501, 3] {
            assert_eq!(reader.at(places[n]).unwrap(), records[n]);
            assert_eq!(Some(&reader.place()), places.get(n + 1).or(Some(&spill.size)));
        }
    }
}

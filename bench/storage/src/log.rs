//! A log of checked records beside tables in memory: what the disk itself gives, and what recovery costs without a tree.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use anyhow::Result;

use crate::engine::{Change, Durability, Engine, TABLES, Table};

pub struct Log {
    file: File,
    tables: Vec<BTreeMap<Vec<u8>, Vec<u8>>>,
    record: Vec<u8>,
}

impl Engine for Log {
    const NAME: &'static str = "a log of records";

    fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("log");
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut log = Self { file, tables: vec![BTreeMap::new(); TABLES.len()], record: Vec::new() };
        let mut rest = &bytes[..];
        while let Some((head, body)) = rest.split_at_checked(8) {
            let len = u32::from_le_bytes(head[..4].try_into()?) as usize;
            let Some((record, next)) = body.split_at_checked(len) else { break };
            if crc32fast::hash(record).to_le_bytes() != head[4..] {
                break;
            }
            log.replay(record);
            rest = next;
        }
        Ok(log)
    }

    fn commit(&mut self, batch: &[Change], durability: Durability) -> Result<()> {
        self.record.clear();
        self.record.resize(8, 0);
        for change in batch {
            let (table, key, value) = match change {
                Change::Put(table, key, value) => (*table as u8, key, Some(value)),
                Change::Delete(table, key) => (*table as u8 | 0x80, key, None),
            };
            self.record.push(table);
            self.record.extend_from_slice(&(key.len() as u16).to_le_bytes());
            self.record.extend_from_slice(key);
            if let Some(value) = value {
                self.record.extend_from_slice(&(value.len() as u32).to_le_bytes());
                self.record.extend_from_slice(value);
            }
        }
        let len = (self.record.len() - 8) as u32;
        self.record[..4].copy_from_slice(&len.to_le_bytes());
        let check = crc32fast::hash(&self.record[8..]);
        self.record[4..8].copy_from_slice(&check.to_le_bytes());
        self.file.write_all(&self.record)?;
        if durability == Durability::Disk {
            self.file.sync_data()?;
        }
        for change in batch {
            match change {
                Change::Put(table, key, value) => {
                    self.tables[*table as usize].insert(key.clone(), value.clone());
                }
                Change::Delete(table, key) => {
                    self.tables[*table as usize].remove(key);
                }
            }
        }
        Ok(())
    }

    fn scan(&mut self, table: Table, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<usize> {
        let table = &self.tables[table as usize];
        table.iter().for_each(|(key, value)| each(key, value));
        Ok(table.len())
    }
}

impl Log {
    fn replay(&mut self, mut record: &[u8]) {
        while let [kind, low, high, rest @ ..] = record {
            let (key, rest) = rest.split_at(usize::from(u16::from_le_bytes([*low, *high])));
            let table = &mut self.tables[usize::from(kind & 0x7f)];
            if kind & 0x80 != 0 {
                table.remove(key);
                record = rest;
                continue;
            }
            let (len, rest) = rest.split_at(4);
            let len = u32::from_le_bytes([len[0], len[1], len[2], len[3]]) as usize;
            let (value, rest) = rest.split_at(len);
            table.insert(key.to_vec(), value.to_vec());
            record = rest;
        }
    }
}

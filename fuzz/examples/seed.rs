//! Writes the seeds of every target into `fuzz/corpus`, from the frames of `xmpp-testdata` and a
//! few conversations. Seeds are made and not kept.

use std::fs;
use std::io;
use std::path::Path;

use stanzad_fuzz::seeds;

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, seeds) in seeds::all() {
        let directory = corpus.join(target);
        fs::create_dir_all(&directory)?;
        for (i, seed) in seeds.iter().enumerate() {
            fs::write(directory.join(format!("seed-{i:04}")), seed)?;
        }
        println!("{target}: {} seeds", seeds.len());
    }
    Ok(())
}

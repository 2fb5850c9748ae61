//! Threads write files, one each, for the words of another, where there is one. In the suite there is none: grind-web's tests give it.
//@ stdout: no files

use std::fs;
use std::thread;

fn main() {
    let Ok(text) = fs::read_to_string("/work/in.txt") else {
        println!("no files");
        return;
    };
    fs::create_dir("/work/out").unwrap();
    let write = |word: &str| {
        let (path, upper) = (format!("/work/out/{word}.txt"), word.to_uppercase());
        thread::spawn(move || fs::write(path, upper).unwrap())
    };
    let threads: Vec<_> = text.split_whitespace().map(write).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    fs::remove_file("/work/in.txt").unwrap();
    println!("{} files", fs::read_dir("/work/out").unwrap().count());
}

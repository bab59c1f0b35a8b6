//! Compiles the core's channels for the model. LIPC_ROOT can name another tree than the one around.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var("LIPC_ROOT").unwrap_or("../..".to_string()));
    let out = PathBuf::from(env::var("OUT_DIR").unwrap());
    // With small pages a small ring has several.
    let ring = fs::read_to_string(root.join("csrc/portable/ring.c")).expect("csrc/portable/ring.c");
    let page = "LIPC__RING_PAGE = 4096";
    assert_eq!(ring.matches(page).count(), 1, "{page}");
    fs::write(out.join("ring_of_small_pages.c"), ring.replace(page, "LIPC__RING_PAGE = 16")).unwrap();
    cc::Build::new()
        .file("ring.c")
        .include(root.join("csrc"))
        .include(root.join("include"))
        .include(out)
        .define("_GNU_SOURCE", None)
        .flag("-std=c11")
        .warnings(false)
        .compile("ring");
    for source in ["ring.c".into(), root.join("csrc"), root.join("include")] {
        println!("cargo:rerun-if-changed={}", source.display());
    }
    println!("cargo:rerun-if-env-changed=LIPC_ROOT");
}

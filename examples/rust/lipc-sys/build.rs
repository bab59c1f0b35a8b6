//! Finds the library through pkg-config. LIPC_STATIC=1 links it statically, unless it is in a system directory.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Err(error) = pkg_config::Config::new().range_version("0.1".."0.2").probe("lipc") {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

//! Finds PostgreSQL's server programs and the user they may run as. Installs nothing: `deploy/ensure-postgres.sh` does.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::postgres::Error;

/// Names the directory of PostgreSQL's programs where the search would find another one, or none.
pub const BIN_VAR: &str = "MUSTER_POSTGRES_BIN";

/// Folders whose `<version>/bin` or `<package>@<version>/bin` hold a server; the newest version wins.
const VERSIONED: [(&str, &str); 4] = [
    ("/usr/lib/postgresql", ""),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
    ("/usr", "pgsql-"),
];

/// The directory that holds `initdb`, `pg_ctl` and `postgres`.
pub fn bin_dir() -> Result<PathBuf, Error> {
    if let Some(named) = env::var_os(BIN_VAR) {
        let named = PathBuf::from(named);
        return if is_complete(&named) {
            Ok(named)
        } else {
            Err(Error::NotInstalled(advice()))
        };
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(
            VERSIONED
                .iter()
                .flat_map(|(folder, prefix)| newest_first(Path::new(folder), prefix)),
        )
        .chain(["/opt/homebrew/opt/postgresql/bin", "/usr/local/pgsql/bin"].map(PathBuf::from))
        .find(|dir| is_complete(dir))
        .ok_or_else(|| Error::NotInstalled(advice()))
}

fn is_complete(dir: &Path) -> bool {
    dir.is_absolute()
        && ["initdb", "pg_ctl", "postgres"]
            .iter()
            .all(|program| dir.join(program).is_file())
}

fn newest_first(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry
                .file_name()
                .to_str()?
                .strip_prefix(prefix)?
                .split('.')
                .next()?
                .parse()
                .ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, bin)| bin).collect()
}

fn advice() -> String {
    let how = if cfg!(target_os = "macos") {
        "brew install postgresql@17"
    } else {
        "deploy/ensure-postgres.sh (Debian, Ubuntu), or your system's package of the PostgreSQL server"
    };
    format!(
        "no PostgreSQL server programs (initdb, pg_ctl, postgres) on PATH, under /usr/lib/postgresql or in Homebrew's \
         places. Install them with: {how}. Or name their directory in {BIN_VAR}, or a running server in DATABASE_URL \
         (tests: TEST_DATABASE_URL)"
    )
}

/// The user and group to run the server as: PostgreSQL refuses to run as root. `None`: as ourselves.
pub fn unprivileged() -> Result<Option<(u32, u32)>, Error> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| Some((id("-u", name)?, id("-g", name)?)))
        .map(Some)
        .ok_or(Error::NoUser)
}

/// Asks `id` rather than /etc/passwd: it also knows the users of directory services, as on macOS.
fn id(which: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([which, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_comes_first_by_number() {
        let folder = env::temp_dir().join(format!("muster-versions-{}", std::process::id()));
        for version in ["postgresql@9.6", "postgresql@17", "postgresql@15", "unrelated"] {
            fs::create_dir_all(folder.join(version)).unwrap();
        }
        let found = newest_first(&folder, "postgresql@");
        fs::remove_dir_all(&folder).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|bin| bin.parent().unwrap().file_name().unwrap())
            .collect();
        assert_eq!(names, ["postgresql@17", "postgresql@15", "postgresql@9.6"]);
    }

    #[test]
    fn the_advice_names_what_to_install() {
        assert!(advice().contains("ensure-postgres.sh") || advice().contains("brew install"));
    }
}

//! What is taken out of texts that are sent to others: the home folder, the user's name, and home folders of other people.

use std::path::{Path, PathBuf};

/// Who is using this computer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Privacy {
    home: Option<PathBuf>,
    user: Option<String>,
}

/// Names of users that say nothing about anybody, and shorter ones would be found inside of other words' neighbours.
const NOBODY: [&str; 6] = ["root", "user", "admin", "ubuntu", "debian", "nobody"];

/// Folders that hold home folders, one per person.
const HOMES: [&str; 3] = ["/home/", "/Users/", "\\Users\\"];

impl Privacy {
    /// The user of this process.
    pub fn of_user() -> Self {
        let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
        let name = |variable: &str| std::env::var(variable).ok().filter(|name| !name.is_empty());
        let user = name("USER").or_else(|| name("LOGNAME")).or_else(|| name("USERNAME"));
        let user = user.or_else(|| Some(home.as_ref()?.file_name()?.to_string_lossy().into_owned()));
        Self { home, user: user.filter(|user| tells_something(user)) }
    }

    /// Somebody with this home folder and name.
    pub fn of(home: &Path, user: &str) -> Self {
        Self { home: Some(home.to_owned()), user: Some(user.to_owned()).filter(|user| tells_something(user)) }
    }

    /// The text with `~` for the home folder, and `user` for the name.
    pub fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(home) = self.home.as_ref().map(|home| home.display().to_string()).filter(|home| home.len() > 1) {
            // In JSON a backslash is written twice.
            text = before_an_end(&text, &home.replace('\\', "\\\\"));
            text = before_an_end(&text, &home);
        }
        for homes in HOMES {
            text = without_names_after(&text, homes);
        }
        text = without_names_after(&text, "\\\\Users\\\\");
        if let Some(user) = &self.user {
            text = without_word(&text, user);
        }
        text
    }

    /// A path as it is shown in reports.
    pub fn path(&self, path: &Path) -> String {
        self.clean(&path.display().to_string())
    }
}

fn tells_something(user: &str) -> bool {
    user.chars().count() >= 3 && !NOBODY.contains(&user.to_lowercase().as_str())
}

/// `~` in place of `home` where the folder's name ends there: `/root` is not the start of `/rooting`.
fn before_an_end(text: &str, home: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once(home) {
        out.push_str(before);
        let ends = after.chars().next().is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.')));
        out.push_str(if ends { "~" } else { home });
        rest = after;
    }
    out + rest
}

/// `/home/anna/x` becomes `/home/user/x`.
fn without_names_after(text: &str, homes: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once(homes) {
        let name = after.find(['/', '\\', '"', '\'', '\n', ':', ',', ')', ' ']).unwrap_or(after.len());
        out.push_str(before);
        out.push_str(homes);
        out.push_str(if name == 0 { "" } else { "user" });
        rest = after.get(name..).unwrap_or_default();
    }
    out + rest
}

/// `word` replaced by `user` where no letter or digit touches it.
fn without_word(text: &str, word: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once(word) {
        let touches = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let inside = touches(before.chars().next_back()) || (before.is_empty() && touches(out.chars().next_back()));
        out.push_str(before);
        out.push_str(if inside || touches(after.chars().next()) { word } else { "user" });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_and_names_go() {
        let jane = Privacy::of(Path::new("/home/jane"), "jane");
        assert_eq!(jane.clean("/home/jane/data/a.nwb and /home/jane"), "~/data/a.nwb and ~");
        assert_eq!(jane.clean("run by jane (jane's), janet stays"), "run by user (user's), janet stays");
        assert_eq!(jane.clean("/home/paul/x:/home/jane2 /Users/paul"), "/home/user/x:/home/user /Users/user");
        assert_eq!(jane.path(Path::new("/home/jane/.local/state")), "~/.local/state");
        let windows = Privacy::of(Path::new("C:\\Users\\Jane D"), "Jane D");
        assert_eq!(windows.clean("C:\\Users\\Jane D\\a.nwb \"C:\\\\Users\\\\Jane D\\\\b\""), "~\\a.nwb \"~\\\\b\"");
        assert_eq!(windows.clean("D:\\Users\\paul\\x"), "D:\\Users\\user\\x");
    }

    #[test]
    fn words_that_only_look_like_it_stay() {
        let root = Privacy::of(Path::new("/root"), "root");
        assert_eq!(root.clean("/root/x, /rootless, the root of /root"), "~/x, /rootless, the root of ~");
        let short = Privacy::of(Path::new("/h/al"), "al");
        assert_eq!(short.clean("al dente /h/al"), "al dente ~");
        assert_eq!(Privacy::default().clean("as it is, /home/x"), "as it is, /home/user");
        assert_eq!(Privacy::of(Path::new("/"), "jörg").clean("/a jörg"), "/a user");
    }
}

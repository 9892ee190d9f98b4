//! The settings of farms: what the command line, the environment and the configuration file say, and what holds where
//! none of them says anything.

use std::ffi::OsString;
use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use pseudotape_farm::{Root, VolumeName};
use pseudotape_farm_net::{AccessList, Client, Place, TlsFiles};
use pseudotape_human::{Alignment, Report, Screen, field_meant, printable, read_text_file};
use serde::{Deserialize, Serialize};

use crate::Verdict;
use crate::cli::FarmOptions;

/// Where the configuration is, when nobody says it.
pub(super) const DEFAULT_FILE: &str = "/etc/pseudotape-farm.toml";
/// Where the farm is, when the command line does not say it.
pub(super) const VARIABLE: &str = "PSEUDOTAPE_FARM";
/// How long a command waits for a volume.
const LOCK_WAIT: u64 = 60;
/// How long a script may take.
const SCRIPT_SECONDS: NonZeroU64 = NonZeroU64::new(60).expect("no zero");

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct File {
    root: Option<PathBuf>,
    compression: Option<bool>,
    lock_wait: Option<u64>,
    volumes: Option<Sharing>,
    host: Option<String>,
    script: Option<String>,
    script_user: Option<String>,
    script_seconds: Option<NonZeroU64>,
    vault: Option<PathBuf>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    tls_ca: Option<PathBuf>,
}

/// Who has the volumes of a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Sharing {
    /// All hosts.
    Shared,
    /// The host that made them.
    Private,
}

impl Sharing {
    fn word(self) -> &'static str {
        match self {
            Sharing::Shared => "shared",
            Sharing::Private => "private",
        }
    }
}

/// Who said a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Default,
    File,
    Environment,
    CommandLine,
}

impl Source {
    fn word(self) -> &'static str {
        match self {
            Source::Default => "default",
            Source::File => "file",
            Source::Environment => "environment",
            Source::CommandLine => "command line",
        }
    }
}

/// A value, and who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting<T> {
    pub(super) value: T,
    source: Source,
}

impl<T> Setting<T> {
    /// The first that somebody said, else `usual`.
    fn first(said: [(Source, Option<T>); 3], usual: T) -> Self {
        let found = said
            .into_iter()
            .find_map(|(source, value)| Some((source, value?)));
        let (source, value) = found.unwrap_or((Source::Default, usual));
        Setting { value, source }
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Settings {
    /// The configuration file, where there is one.
    file: Option<PathBuf>,
    root: Setting<Option<PathBuf>>,
    pub(super) compression: Setting<bool>,
    lock_wait: Setting<u64>,
    volumes: Setting<Sharing>,
    host: Setting<VolumeName>,
    owner: Option<VolumeName>,
    script: Setting<Option<String>>,
    script_user: Setting<Option<String>>,
    script_seconds: Setting<NonZeroU64>,
    vault: Setting<Option<PathBuf>>,
    tls: [(&'static str, Setting<Option<PathBuf>>); 3],
}

impl Settings {
    /// `vault` is what the command line says of it.
    pub(super) fn read(options: &FarmOptions, vault: Option<PathBuf>) -> anyhow::Result<Self> {
        let usual = Path::new(DEFAULT_FILE);
        let mut settings = Self::of(options, std::env::var_os(VARIABLE), usual)?;
        let environment = std::env::var_os(crate::vault::VARIABLE);
        let environment = environment.filter(|value| !value.is_empty());
        let said = [
            (Source::CommandLine, vault),
            (Source::Environment, environment.map(PathBuf::from)),
        ];
        for (source, value) in said.into_iter().rev() {
            if value.is_some() {
                settings.vault = Setting { value, source };
            }
        }
        Ok(settings)
    }

    /// `usual` is the file that is read where the command line names none.
    pub(super) fn of(
        options: &FarmOptions,
        environment: Option<OsString>,
        usual: &Path,
    ) -> anyhow::Result<Self> {
        let (path, file) = match &options.config {
            Some(path) => (Some(path.clone()), Some(read_file(path))),
            None => match read_file(usual) {
                Err(error) if is_absent(&error) => (None, None),
                read => (Some(usual.to_owned()), Some(read)),
            },
        };
        let file = file.transpose()?.unwrap_or_default();
        let of_file = |name: &str, path: &PathBuf| match path.is_absolute() {
            true => Ok(path.clone()),
            false => bail!(
                "{}: {name} = \"{}\": it has a whole path here, that does not depend on where a command is started",
                usual_or(options, usual).display(),
                path.display()
            ),
        };
        let root = file.root.as_ref().map(|path| {
            let place = path.to_str().filter(|text| Place::is_meant(text));
            match place.map(str::parse::<Place>) {
                None => of_file("root", path),
                // One of another host depends on no folder of this one.
                Some(Ok(_)) => Ok(path.clone()),
                Some(Err(error)) => {
                    let file = usual_or(options, usual).display().to_string();
                    Err(anyhow::Error::from(error).context(format!("{file}: root")))
                }
            }
        });
        let root = root.transpose()?;
        let [tls_cert, tls_key, tls_ca] = [
            ("tls-cert", &file.tls_cert),
            ("tls-key", &file.tls_key),
            ("tls-ca", &file.tls_ca),
        ]
        .map(|(name, path)| path.as_ref().map(|path| of_file(name, path)).transpose());
        let (tls_cert, tls_key, tls_ca) = (tls_cert?, tls_key?, tls_ca?);
        let environment = environment.filter(|value| !value.is_empty());
        Ok(Settings {
            file: path,
            root: Setting::first(
                [
                    (Source::CommandLine, options.root.clone().map(Some)),
                    (
                        Source::Environment,
                        environment.map(|value| Some(PathBuf::from(value))),
                    ),
                    (Source::File, root.map(Some)),
                ],
                None,
            ),
            compression: Setting::first(
                [
                    (Source::CommandLine, options.command.compression()),
                    (Source::Environment, None),
                    (Source::File, file.compression),
                ],
                false,
            ),
            lock_wait: Setting::first(
                [
                    (Source::CommandLine, options.command.lock_wait()),
                    (Source::Environment, None),
                    (Source::File, file.lock_wait),
                ],
                LOCK_WAIT,
            ),
            volumes: of_file_or(file.volumes, Sharing::Shared),
            host: host(file.host)?,
            owner: options.owner.clone(),
            script: Setting::first(
                [
                    (Source::CommandLine, options.command.script().map(Some)),
                    (Source::Environment, None),
                    (Source::File, file.script.map(Some)),
                ],
                None,
            ),
            script_user: of_file_or(file.script_user.map(Some), None),
            script_seconds: of_file_or(file.script_seconds, SCRIPT_SECONDS),
            vault: of_file_or(file.vault.map(Some), None),
            tls: [
                ("tls-cert", of_file_or(tls_cert.map(Some), None)),
                ("tls-key", of_file_or(tls_key.map(Some), None)),
                ("tls-ca", of_file_or(tls_ca.map(Some), None)),
            ],
        })
    }

    /// The command that is told of new capsules.
    pub(super) fn script(&self) -> Option<&str> {
        self.script
            .value
            .as_deref()
            .filter(|script| !script.is_empty())
    }

    /// As whom it runs, where the file says it.
    pub(super) fn script_user(&self) -> Option<&str> {
        self.script_user.value.as_deref()
    }

    /// How long it may take.
    pub(super) fn script_limit(&self) -> Duration {
        Duration::from_secs(self.script_seconds.value.get())
    }

    /// The root whose volumes are meant: all hosts have them, or this one, or the one that the command line names.
    pub(super) fn volumes(&self, changes: bool) -> anyhow::Result<Root> {
        let root = Root::open(self.root()?)?;
        match (&self.owner, self.volumes.value) {
            (Some(owner), _) if changes => bail!(
                "the private volumes of {owner} can be read with --owner, and changed by {owner} only; nothing was changed"
            ),
            (Some(owner), _) => Ok(root.of_host(owner, false)?),
            (None, Sharing::Private) => {
                root.expect_unserved()?;
                Ok(root.of_host(&self.host.value, changes)?)
            }
            (None, Sharing::Shared) => Ok(root),
        }
    }

    /// Tells the server of another host whose volumes are meant, where somebody says it.
    pub(super) fn tell_whose(&self, client: &mut Client) -> anyhow::Result<()> {
        match (&self.owner, self.volumes.value) {
            (Some(owner), _) => client.whose(Some(owner))?,
            (None, Sharing::Private) => client.whose(None)?,
            (None, Sharing::Shared) => {}
        }
        Ok(())
    }

    /// The files by which a farm is reached over TLS.
    pub(super) fn tls(&self) -> anyhow::Result<TlsFiles> {
        let [cert, key, authority] = self.tls.each_ref().map(|(name, setting)| {
            let file = self.file.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
            setting.value.clone().with_context(|| {
                format!(
                    "tls: needs the certificate of this client, its key, and the authority of the server: write {name} = \"FILE\" into {}",
                    file.display()
                )
            })
        });
        Ok(TlsFiles {
            cert: cert?,
            key: key?,
            authority: authority?,
        })
    }

    pub(super) fn root(&self) -> anyhow::Result<&Path> {
        self.root.value.as_deref().with_context(|| {
            format!(
                "which farm? Say --root DIR, set {VARIABLE}, or write root = \"DIR\" into {DEFAULT_FILE}"
            )
        })
    }

    /// The vault in whose catalog references are.
    pub(super) fn vault(&self) -> anyhow::Result<PathBuf> {
        let said = self.vault.value.as_ref().with_context(|| {
            format!(
                "which vault has the references? Say --vault DIR, set {}, or write vault = \"DIR\" into {DEFAULT_FILE}",
                crate::vault::VARIABLE
            )
        })?;
        std::path::absolute(said)
            .with_context(|| format!("can't make {} a whole path", said.display()))
    }

    /// What this host is called.
    pub(super) fn host(&self) -> &VolumeName {
        &self.host.value
    }

    /// How long a command waits for a volume that another one changes.
    pub(super) fn lock_wait(&self) -> Duration {
        Duration::from_secs(self.lock_wait.value)
    }
}

/// A setting that only the file can say.
fn of_file_or<T>(said: Option<T>, usual: T) -> Setting<T> {
    let source = match said {
        Some(_) => Source::File,
        None => Source::Default,
    };
    Setting {
        value: said.unwrap_or(usual),
        source,
    }
}

/// The name of this host: what the file says, else what the host is called.
fn host(said: Option<String>) -> anyhow::Result<Setting<VolumeName>> {
    let source = match said {
        Some(_) => Source::File,
        None => Source::Default,
    };
    let name = match said {
        Some(said) => said,
        None => {
            let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
            let name = name.context("can't find out what this host is called")?;
            name.trim_end().to_owned()
        }
    };
    // It becomes the name of a folder, as that of a volume does.
    let value = name.parse().map_err(|_| {
        anyhow::anyhow!(
            "'{}' can't be the name of a host with private volumes: it would be that of their folder (host = \"NAME\" in the \
             configuration says another one)",
            printable(&name)
        )
    })?;
    Ok(Setting { value, source })
}

fn usual_or<'a>(options: &'a FarmOptions, usual: &'a Path) -> &'a Path {
    options.config.as_deref().unwrap_or(usual)
}

fn is_absent(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::NotFound)
}

fn read_file(path: &Path) -> anyhow::Result<File> {
    let text = read_text_file(path).with_context(|| format!("can't read {}", path.display()))?;
    toml::from_str(&text)
        .map_err(|error| anyhow::anyhow!("{error}{}", field_meant(&error.to_string())))
        .with_context(|| path.display().to_string())
}

/// The root that the environment or the usual file says, for those who complete words.
pub(crate) fn usual_root() -> Option<PathBuf> {
    let environment = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    let file = || read_file(Path::new(DEFAULT_FILE)).ok()?.root;
    environment.map(PathBuf::from).or_else(file)
}

/// What is printed of the settings.
#[derive(Debug, Serialize)]
struct ShownSettings {
    file: Option<String>,
    settings: Vec<ShownSetting>,
}

#[derive(Debug, Serialize)]
struct ShownSetting {
    name: &'static str,
    value: Option<String>,
    source: &'static str,
}

impl ShownSetting {
    fn new<T>(name: &'static str, setting: &Setting<T>, value: Option<String>) -> Self {
        ShownSetting {
            name,
            value,
            source: setting.source.word(),
        }
    }
}

impl Report for ShownSettings {
    fn text(&self, screen: &Screen) -> String {
        let columns = [
            ("setting", Alignment::Left),
            ("value", Alignment::Left),
            ("said by", Alignment::Left),
        ];
        let row = |setting: &ShownSetting| {
            let source = match (&self.file, setting.source) {
                (Some(file), "file") => file.as_str(),
                (_, source) => source,
            };
            vec![
                setting.name.to_owned(),
                printable(setting.value.as_deref().unwrap_or("-")),
                printable(source),
            ]
        };
        screen.table(&columns, self.settings.iter().map(row).collect())
    }
}

/// `farm config show`.
pub(super) fn show(settings: &Settings, screen: &Screen) -> anyhow::Result<Verdict> {
    let path = |path: &PathBuf| path.display().to_string();
    let on = |on: bool| if on { "on" } else { "off" };
    let mut shown = vec![
        ShownSetting::new(
            "root",
            &settings.root,
            settings.root.value.as_ref().map(path),
        ),
        ShownSetting::new(
            "compression",
            &settings.compression,
            Some(on(settings.compression.value).to_owned()),
        ),
        ShownSetting::new(
            "lock-wait",
            &settings.lock_wait,
            Some(settings.lock_wait.value.to_string()),
        ),
        ShownSetting::new(
            "volumes",
            &settings.volumes,
            Some(settings.volumes.value.word().to_owned()),
        ),
        ShownSetting::new(
            "host",
            &settings.host,
            Some(settings.host.value.to_string()),
        ),
        ShownSetting::new("script", &settings.script, settings.script.value.clone()),
        ShownSetting::new(
            "script-user",
            &settings.script_user,
            settings.script_user.value.clone(),
        ),
        ShownSetting::new(
            "script-seconds",
            &settings.script_seconds,
            Some(settings.script_seconds.value.to_string()),
        ),
        ShownSetting::new(
            "vault",
            &settings.vault,
            settings.vault.value.as_ref().map(path),
        ),
    ];
    let tls = settings.tls.iter();
    shown.extend(
        tls.map(|(name, setting)| {
            ShownSetting::new(name, setting, setting.value.as_ref().map(path))
        }),
    );
    shown.push(access(settings));
    screen.show(&ShownSettings {
        file: settings.file.as_ref().map(path),
        settings: shown,
    })?;
    Ok(Verdict::Well)
}

/// Who comes in from other hosts, which the root itself says. Of a root elsewhere its host knows it.
fn access(settings: &Settings) -> ShownSetting {
    let root = settings.root.value.as_deref().filter(|root| root.is_dir());
    let read = root.map(AccessList::read);
    let said = |value: String| ShownSetting {
        name: "access",
        value: Some(value),
        source: "root",
    };
    match read {
        None => ShownSetting {
            name: "access",
            value: None,
            source: Source::Default.word(),
        },
        Some(Err(error)) => said(error.to_string()),
        Some(Ok(list)) => {
            let people: Vec<String> = list.people().iter().map(ToString::to_string).collect();
            match people.is_empty() {
                true => ShownSetting {
                    name: "access",
                    value: Some("nobody".to_owned()),
                    source: Source::Default.word(),
                },
                false => said(people.join(", ")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;
    use pseudotape_human::keys_of;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        farm: FarmOptions,
    }

    fn read(
        file: Option<&str>,
        environment: Option<&str>,
        words: &[&str],
    ) -> anyhow::Result<Settings> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("farm.toml");
        if let Some(text) = file {
            fs::write(&path, text)?;
        }
        let line = Line::try_parse_from(std::iter::once(&"farm").chain(words))?;
        Settings::of(&line.farm, environment.map(OsString::from), &path)
    }

    /// CW-81: the command line goes before the environment, and that before the file; else a default holds.
    #[test]
    fn each_setting_knows_who_said_it() {
        let show = ["config", "show"];
        let root = |settings: &Settings| {
            (
                settings
                    .root
                    .value
                    .clone()
                    .map(|root| root.display().to_string()),
                settings.root.source.word(),
            )
        };
        let none = read(None, None, &show).unwrap();
        assert_eq!(root(&none), (None, "default"));
        assert!(none.root().unwrap_err().to_string().contains("--root DIR"));
        assert_eq!(none.lock_wait(), Duration::from_secs(60));
        let text = "root = \"/file\"\nlock-wait = 5\ncompression = true\n";
        let file = read(Some(text), None, &show).unwrap();
        assert_eq!(root(&file), (Some("/file".to_owned()), "file"));
        assert_eq!(file.lock_wait(), Duration::from_secs(5));
        assert_eq!(
            (file.compression.value, file.compression.source),
            (true, Source::File)
        );
        let environment = read(Some(text), Some("/environment"), &show).unwrap();
        assert_eq!(root(&environment).1, "environment");
        assert_eq!(root(&read(Some(text), Some(""), &show).unwrap()).1, "file");
        let words = ["--root", "/line", "config", "show"];
        let line = read(Some(text), Some("/environment"), &words).unwrap();
        assert_eq!(root(&line), (Some("/line".to_owned()), "command line"));
        let words = ["add", "V", "f", "--lock-wait", "0", "--compression", "off"];
        let line = read(Some(text), None, &words).unwrap();
        assert_eq!(line.lock_wait(), Duration::ZERO);
        assert_eq!(
            (line.compression.value, line.compression.source),
            (false, Source::CommandLine)
        );
    }

    /// CW-81: a farm of another host is said in the same place as one of this host.
    #[test]
    fn a_farm_of_another_host_can_be_the_usual_one() {
        for place in ["ssh:ada@depot:/srv/farm", "tls:nas:22256:"] {
            let text = format!("root = \"{place}\"\n");
            let file = read(Some(&text), None, &["config", "show"]).unwrap();
            assert_eq!(file.root().unwrap(), Path::new(place));
            assert_eq!(file.root.source, Source::File);
        }
    }

    /// CW-81: a file that is wrong is refused, and what is wrong is named.
    #[test]
    fn a_wrong_configuration_is_refused() {
        for (text, words) in [
            ("rot = \"/x\"", "'root'"),
            ("root = \"x\"", "a whole path"),
            (
                "root = \"tls:far\"",
                "farm.toml: root: 'tls:far' names no farm",
            ),
            ("lock-wait = -1", "lock-wait"),
            ("compression = \"yes\"", "compression"),
            ("volumes = \"mine\"", "`private`"),
            ("host = \"a/b\"", "'a/b' can't be the name of a host"),
            ("root", "farm.toml"),
        ] {
            let error = read(Some(text), None, &["config", "show"]).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(words), "{text}: {error}");
        }
        let named = ["--config", "/nowhere/farm.toml", "ls"];
        let error = read(None, None, &named).unwrap_err();
        assert!(
            error.to_string().contains("can't read /nowhere/farm.toml"),
            "{error}"
        );
    }

    /// CW-43: a configuration that makes volumes private is refused while the root is served.
    #[test]
    fn volumes_are_not_made_private_while_a_server_runs() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        let private = read(Some("volumes = \"private\""), None, &["--root", root, "ls"]).unwrap();
        let server = pseudotape_farm::Serving::begin(folder.path()).unwrap();
        for changes in [false, true] {
            let refused = private.volumes(changes).unwrap_err();
            assert!(
                refused.to_string().contains("is served to other hosts"),
                "{refused}"
            );
        }
        drop(server);
        private.volumes(true).unwrap();
    }

    #[test]
    fn the_page_of_the_configuration_lists_its_keys() {
        let document = include_str!("../../../docs/man/pseudotape-farm.toml.md");
        let keys = keys_of::<File>().iter().map(|key| (*key).to_owned());
        let documented = pseudotape_testkit::manual::documented_keys(document, "KEYS");
        assert_eq!(documented, keys.collect());
    }
}

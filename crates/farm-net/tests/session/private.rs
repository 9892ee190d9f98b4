//! Private volumes: whose they are says who let the client in.

use std::fs;

use pseudotape_farm::Serving;
use pseudotape_farm_net::{AccessList, Client, Error, How};

use crate::common::{Farm, Meddling, Ways, name};
use crate::shared::order;

impl Farm {
    fn private() -> Self {
        let mut farm = Farm::new();
        farm.privately = true;
        farm.let_in("", "eve@attic");
        farm
    }

    /// Puts somebody on the list of the root, or of a folder in it.
    fn let_in(&self, folder: &str, person: &str) {
        let person = person.parse().unwrap();
        AccessList::change(&self.root().join(folder), |access| access.add(person)).unwrap();
    }

    /// What a command of this person comes to.
    fn of<T>(
        &self,
        person: &str,
        command: impl FnOnce(Client) -> Result<T, Error>,
    ) -> Result<T, String> {
        let no = (Meddling::Nothing, Meddling::Nothing);
        let (client, serving) = self.try_reach(person, "", &Ways::default(), no);
        let done = client.and_then(command);
        drop(serving.join().unwrap());
        done.map_err(|error| error.to_string())
    }

    fn add_of(&self, person: &str) -> Result<usize, String> {
        self.of(person, |client| {
            let mut told = 0;
            let order = order("V", How::Copy, &self.path("tree"));
            client.add(order, &mut |_| told += 1)?;
            Ok(told)
        })
    }
}

fn volumes(mut client: Client) -> Result<usize, Error> {
    Ok(client.volumes()?.len())
}

fn of_owner(mut client: Client, owner: &str) -> Result<usize, Error> {
    client.whose(Some(&name(owner)))?;
    Ok(client.files(&name("V"), &[])?.len())
}

/// CW-42: a host is one host, however a certificate spells it: what it had is not hidden, and not beside it.
#[test]
fn the_folder_of_a_host_has_no_case() {
    let farm = Farm::private();
    assert_eq!(farm.add_of("ada@Depot"), Ok(4));
    assert!(farm.root().join("Depot/V/FILE000.dir").exists());
    assert_eq!(farm.of("ada@depot", volumes), Ok(1));
    assert_eq!(
        farm.of("ada@depot", |client| of_owner(client, "DEPOT")),
        Ok(4)
    );
    let refused = farm.add_of("ada@DEPOT").unwrap_err();
    assert!(refused.contains("but not copied"), "{refused}");
    assert!(!farm.root().join("DEPOT").exists());
}

/// CW-42: one name on two hosts is two volumes, in the folders of the hosts that the server knows; what a client says
/// of its host counts for nothing.
#[test]
fn each_host_has_volumes_of_its_own() {
    let farm = Farm::private();
    assert_eq!(farm.add_of("ada@depot"), Ok(4));
    assert!(farm.root().join("depot/V/FILE000.dir").exists());
    let none = farm.of("eve@attic", volumes).unwrap_err();
    assert!(none.contains("host attic has no private volumes"), "{none}");
    assert_eq!(farm.add_of("eve@attic"), Ok(4), "no collision");
    assert!(farm.root().join("attic/V/FILE000.dir").exists());
    let path = name("depot");
    let other = farm.of("eve@attic", |mut client| client.files(&path, &[]));
    let other = other.unwrap_err();
    assert!(other.contains("there is no volume depot"), "{other}");
    // Whoever means private volumes gets none of those of all, and no folder.
    let mut shared = Farm::new();
    let refused = shared.of("ada@depot", |mut client| client.whose(None));
    let refused = refused.unwrap_err();
    assert!(
        refused.contains("serves the volumes of all hosts"),
        "{refused}"
    );
    shared.privately = true;
    assert_eq!(
        shared.of("ada@depot", |mut client| client.whose(None)),
        Ok(())
    );
    // A name of a host that can't be that of a folder.
    for person in ["ada@..", "ada@a/b", "ada@.access"] {
        farm.let_in("", person);
        let refused = farm.add_of(person).unwrap_err();
        assert!(
            refused.contains("can't be the name of a folder"),
            "{refused}"
        );
    }
    // CW-43 is kept by those who are served otherwise.
    let served = Serving::begin(&farm.root()).unwrap();
    let refused = farm.of("ada@depot", volumes).unwrap_err();
    assert!(refused.contains("serves the shared volumes"), "{refused}");
    drop(served);
    assert_eq!(farm.of("ada@depot", volumes), Ok(1));
}

/// CW-44: another host's volumes are read where the list in its folder permits, and never changed.
#[test]
fn another_hosts_volumes_are_read_where_its_list_permits() {
    let farm = Farm::private();
    farm.add_of("ada@depot").unwrap();
    let refused = farm.of("eve@attic", |client| of_owner(client, "depot"));
    let refused = refused.unwrap_err();
    assert!(
        refused.contains("eve@attic may not read private volumes of depot"),
        "{refused}"
    );
    // Who may not read does not hear which hosts there are.
    let unknown = farm.of("eve@attic", |client| of_owner(client, "nowhere"));
    assert_eq!(unknown.unwrap_err(), refused.replace("depot", "nowhere"));
    farm.let_in("depot", "eve@attic");
    assert_eq!(
        farm.of("eve@attic", |client| of_owner(client, "depot")),
        Ok(4)
    );
    assert_eq!(
        farm.of("ada@depot", |client| of_owner(client, "depot")),
        Ok(4)
    );
    let changed = farm.of("eve@attic", |mut client| {
        client.whose(Some(&name("depot")))?;
        client.add(farm.order(How::Add), &mut |_| {})
    });
    let changed = changed.unwrap_err();
    assert!(changed.contains("changed by depot only"), "{changed}");
    let changed = farm.of("eve@attic", |mut client| {
        client.whose(Some(&name("depot")))?;
        client.rebuild(&name("V"), 0, |_| {})
    });
    assert!(changed.unwrap_err().contains("changed by depot only"));
    // A list that can't be read permits nothing.
    fs::write(farm.root().join("depot/.access"), "eve").unwrap();
    let refused = farm.of("eve@attic", |client| of_owner(client, "depot"));
    assert!(refused.unwrap_err().contains("may not read"));
}

/// A folder of a host that is a link leads nowhere; nor does one that has other things in it.
#[test]
fn a_link_in_the_place_of_a_hosts_folder_is_not_followed() {
    let farm = Farm::private();
    fs::create_dir(farm.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(farm.path("elsewhere"), farm.root().join("depot")).unwrap();
    let refused = farm.add_of("ada@depot").unwrap_err();
    assert!(
        refused.contains("is not the folder of a host's private volumes"),
        "{refused}"
    );
    assert_eq!(fs::read_dir(farm.path("elsewhere")).unwrap().count(), 0);
    farm.let_in("depot", "eve@attic");
    let refused = farm.of("eve@attic", |client| of_owner(client, "depot"));
    assert!(
        refused
            .unwrap_err()
            .contains("is not the folder of a host's")
    );
    fs::create_dir_all(farm.root().join("attic/V")).unwrap();
    let refused = farm.add_of("eve@attic").unwrap_err();
    assert!(
        refused.contains("is not the folder of a host's"),
        "{refused}"
    );
    // The folder of a host is no volume for those who have the volumes of all.
    let mut shared = Farm::private();
    shared.add_of("ada@depot").unwrap();
    shared.privately = false;
    let refused = shared.of("eve@attic", |mut client| client.files(&name("depot"), &[]));
    let refused = refused.unwrap_err();
    assert!(
        refused.contains("has the private volumes of host depot"),
        "{refused}"
    );
}

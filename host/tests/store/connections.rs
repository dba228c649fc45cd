//! What a server has to give, compared with what its own catalog says.

use syncline::store::Store;

use crate::support::Db;

#[tokio::test]
async fn a_server_tells_what_it_has_to_give_and_a_file_nothing() {
    let db = Db::postgres().await;
    let found = db.connections().await.unwrap().unwrap();
    let setting = async |name: &str| db.number(&format!("SELECT current_setting('{name}')::BIGINT")).await.unwrap();
    assert_eq!(found.most, setting("max_connections").await);
    assert!(found.reserved >= setting("superuser_reserved_connections").await, "{found:?}");
    // This case's look behind the store's back is one of the others.
    assert!(found.used >= 1 && found.free() < found.most - found.reserved, "{found:?}");

    // Those of the store itself are no others.
    let hosts: Vec<Store> = futures::future::join_all((0..4).map(|_| db.second_host())).await;
    let crowded = hosts[0].connections().await.unwrap().unwrap();
    assert!(crowded.used >= 4, "{crowded:?}");
    for host in &hosts {
        host.close().await;
    }
    db.discard().await;

    let file = Db::sqlite().await;
    assert_eq!(file.connections().await.unwrap(), None);
}

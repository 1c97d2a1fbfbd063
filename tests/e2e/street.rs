use neighbours::Kind;
use serde_json::json;

use crate::place::Place;

/// A street of shops: routes of every kind but one, from several namespaces, at one Gateway.
pub struct Street {
    pub place: Place,
    pub shops: String,
    pub games: String,
    /// The ports of the TCPRoute and the UDPRoute.
    pub tcp: u16,
    pub udp: u16,
}

impl Street {
    pub async fn build(place: Place, tcp: u16, udp: u16) -> Self {
        let (shops, games) = (format!("{}-shops", place.name), format!("{}-games", place.name));
        let mut street = Self { place, shops, games, tcp, udp };
        street.place.namespace(&street.shops).await;
        street.place.namespace(&street.games).await;
        for name in ["books", "bikes"] {
            street.shop(name).await;
        }
        let Self { place, games, .. } = &mut street;
        place.serve(games, "chess", Kind::Http).await;
        place.http(games, "chess", &["chess.example.com"]).await;
        for (kind, name, application, port, hostnames) in [
            ("GRPCRoute", "moves", Kind::Grpc, place.port, &["moves.example.com"][..]),
            ("TLSRoute", "mail", Kind::Tcp, place.port, &["mail.example.com"]),
            ("TCPRoute", "game", Kind::Tcp, tcp, &[]),
            ("UDPRoute", "names", Kind::Udp, udp, &[]),
        ] {
            place.serve(games, name, application).await;
            place.route(kind, games, name, port, hostnames, json!({})).await;
        }
        street
    }

    /// Another shop, which is at `NAME.example.com`.
    pub async fn shop(&mut self, name: &str) {
        self.place.serve(&self.shops, name, Kind::Http).await;
        self.place.http(&self.shops, name, &[&format!("{name}.example.com")]).await;
    }
}

//! What a Duet event is: names, ids, match keys and rules shared by the browser and the proxy.

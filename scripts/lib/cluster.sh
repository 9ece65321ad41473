# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# Redis as a cluster: six nodes, the parts redis-1 to redis-6, in the place of the one Redis of
# a stack. Belongs to stack.sh, whose names it uses. Three are masters and three replicas; which
# are which changes whenever one fails, so no part is named by its role. They listen on TCP, since
# nodes of a cluster find one another by address and port, on loopback alone. A node's folder
# redis-N/ in D has its append-only file, nodes.conf (what it knows of the cluster, which Redis
# writes), and `port`: nodes.conf of the others names it, so it stays the same for good.

nodes='redis-1 redis-2 redis-3 redis-4 redis-5 redis-6'
# Milliseconds. A master that is silent for as long is replaced a second or two later. Not less:
# a busy machine may stand still for a second, and then masters in good health would be replaced.
node_timeout=3000

node_port() {
    cat "$1/port"
}

# What the programs are given as --redis.
cluster_address() {
    list=
    for node in $nodes; do list="$list,127.0.0.1:$(node_port "$node")"; done
    echo "cluster:${list#,}"
}

# Gives each node a port, if they have none yet.
give_ports() {
    # shellcheck disable=SC2086 # a list of names
    mkdir -p $nodes || die "cannot write to $dir"
    if [ -s redis-6/port ]; then return; fi
    tries=0
    until first=$(draw_port) && ports_are_free "$first"; do
        tries=$((tries + 1))
        [ "$tries" -lt 50 ] || die 'found no spare ports for the cluster'
    done
    for node in $nodes; do
        echo "$first" >"$node/port" || die "cannot write to $dir"
        first=$((first + 1))
    done
}

# Nodes talk to one another on a port that is 10,000 higher. Both are below those that the
# kernel gives to outgoing connections.
draw_port() {
    echo $((10000 + $(od -A n -N 2 -t u2 /dev/urandom) % 12000))
}

ports_are_free() {
    for offset in 0 1 2 3 4 5; do
        for probe in $(($1 + offset)) $(($1 + offset + 10000)); do
            port_is_free "$probe" || return 1
        done
    done
}

# Makes one cluster of the nodes, if they are none yet, and returns when it serves every slot,
# each replica has what its master has and all nodes know so: then any node may die.
form_cluster() {
    if ! slots_are_assigned; then
        # A start that was interrupted may have left half of one, which has no data.
        for node in $nodes; do redis_cli "$node" cluster reset hard >/dev/null || return 1; done
        # shellcheck disable=SC2046 # a list of addresses
        made=$(redis-cli --cluster create $(cluster_address | sed 's/^cluster://; s/,/ /g') \
            --cluster-replicas 1 --cluster-yes 2>&1) || {
            echo "$made" >&2
            die 'the cluster could not be made'
        }
    fi
    if ! within 10 cluster_is_whole; then
        say "waiting for the cluster: $cluster_says"
        within 60 cluster_is_whole || die "the cluster does not get whole: $cluster_says; the logs are $dir/log/redis-*.log"
    fi
}

slots_are_assigned() {
    for node in $nodes; do
        if [ "$(node_field "$node" cluster info cluster_slots_assigned)" = 16384 ]; then return 0; fi
    done
    return 1
}

# node_field NODE COMMAND SECTION FIELD: one line of what CLUSTER INFO or INFO SECTION says.
node_field() {
    redis_cli "$1" "$2" "$3" 2>/dev/null | tr -d '\r' | sed -n "s/^$4://p"
}

# Also sets cluster_says to why it is not.
cluster_is_whole() {
    for node in $nodes; do
        cluster_says="$node has cluster_state:$(node_field "$node" cluster info cluster_state)"
        case $cluster_says in *:ok) ;; *) return 1 ;; esac
        slots=$(node_field "$node" cluster info cluster_slots_ok)
        cluster_says="$node knows masters of $slots of 16384 slots"
        [ "$slots" = 16384 ] || return 1
        cluster_says="$node has no link to its master"
        [ "$(node_field "$node" info replication master_link_status)" != down ] || return 1
    done
    cluster_says='the nodes do not all know the same masters and replicas'
    [ "$(for node in $nodes; do view_of "$node" | cksum; done | sort -u | wc -l)" = 1 ] || return 1
    cluster_says=
}

# What a node knows of itself and of the others: id, address, role, master. Not which slots they
# have: while slots move, as an administrator has them do, the nodes never all say the same.
view_of() {
    redis_cli "$1" cluster nodes | tr -d '\r' | awk '{ sub("myself,", "", $3); print $1, $2, $3, $4 }' | sort
}

# For its line in the status: which role it has now, and where; false if it does not answer.
describe_node() {
    role=$(node_field "$1" info replication role)
    case $role in
        master) if [ "$(node_field "$1" info replication connected_slaves)" = 0 ]; then role='master without a replica'; fi ;;
        slave) role=replica ;;
        *) role='does not answer' ;;
    esac
    echo ", $role, 127.0.0.1:$(node_port "$1")"
    [ "$role" != 'does not answer' ]
}

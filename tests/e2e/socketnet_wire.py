"""A second, small implementation of docs/WIRE.md in Python: records, packets
and their tags, as far as an injector of bad ones needs them."""
import hashlib
import os
import struct
import time

import msgpack
from nacl import bindings

VERSION = 2
RECORD_SERVICE = 4
MESSAGE_RECORD = 5
HEADER = struct.Struct(">BBH16s32sQQQQIBBH")


def node_id(key):
    return hashlib.blake2b(key, digest_size=32).digest()[:8]


class Keys:
    """A node's key file: signing secret (64), exchange secret (32)."""

    def __init__(self, data):
        self.sign_secret = data[:64]
        self.sign_public = data[32:64]
        self.exchange_secret = data[64:96]
        self.exchange_public = bindings.crypto_scalarmult_base(self.exchange_secret)

    @classmethod
    def random(cls):
        _, secret = bindings.crypto_sign_keypair()
        return cls(secret + os.urandom(32))


class Record:
    """A record's header fields, parsed from its bytes."""

    def __init__(self, data):
        (self.version, self.kind, self.flags, self.cluster, self.writer, self.serial, self.epoch,
         self.seq, self.hlc, self.ttl, key_size, _, body_size) = HEADER.unpack_from(data)
        end = HEADER.size + key_size
        self.size = end + body_size + 64
        self.key = data[HEADER.size:end]
        self.body = msgpack.unpackb(data[end:end + body_size], strict_map_key=False)
        self.bytes = data[:self.size]


def make_record(keys, cluster, kind, key, body, *, writer=None, serial=0, epoch=1 << 32, seq=1, hlc=0):
    packed = msgpack.packb(body)
    data = HEADER.pack(VERSION, kind, 0, cluster, writer or keys.sign_public, serial, epoch, seq, hlc, 0,
                       len(key), 0, len(packed)) + key + packed
    domain = b"socketnet/v1/%d\0" % kind
    signed = bindings.crypto_sign(domain + data, keys.sign_secret)
    return data + signed[:64]


def service_body(function, instance, address, port=6379):
    return {1: function, 2: instance, 3: 6, 4: port, 5: bytes(map(int, address.split("."))), 6: "",
            7: 100, 8: 0, 9: 0, 10: [], 11: {}, 12: 0, 13: 0, 14: []}


def message(kind, data):
    return struct.pack(">BH", kind, len(data)) + data


class Sender:
    """Makes datagrams of one certified node for one receiver."""

    def __init__(self, keys, cluster, boot, peer_sign, peer_exchange, peer_boot):
        self.keys = keys
        self.cluster = cluster
        self.boot = boot
        self.peer_sign = peer_sign
        self.peer_boot = peer_boot
        # Far above what the real agent or an earlier sender used in this boot.
        self.counter = time.monotonic_ns() & ((1 << 47) - 1) | 1 << 46
        shared = bindings.crypto_scalarmult(keys.exchange_secret, peer_exchange)
        low, high = sorted((keys.exchange_public, peer_exchange))
        derived = hashlib.blake2b(shared + low + high, key=b"socketnet/v1/pair", digest_size=64).digest()
        self.key = derived[:32] if keys.exchange_public == low else derived[32:]

    def packet(self, payload):
        self.counter += 1
        data = struct.pack(">BBII", VERSION, 1, self.boot, self.peer_boot) + node_id(self.keys.sign_public)
        data += self.counter.to_bytes(6, "big") + payload
        tag = hashlib.blake2b(b"socketnet/v1/packet\0" + self.cluster + self.peer_sign + self.keys.sign_public + data,
                              key=self.key, digest_size=16).digest()
        return data + tag


def find_records(data, cluster, kind):
    """Every record of this kind and cluster inside a database file."""
    pattern = struct.pack(">BBH", VERSION, kind, 0) + cluster
    at = data.find(pattern)
    while at >= 0:
        try:
            record = Record(data[at:at + 2048])
            if len(record.bytes) == record.size:
                yield record
        except (ValueError, struct.error, msgpack.UnpackException):
            pass
        at = data.find(pattern, at + 1)

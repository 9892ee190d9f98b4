#!/usr/bin/env python3
"""Reads a volume of a disk farm by docs/FARM.md and docs/FORMAT.md alone, and shares no code with the programs.

farm_by_document.py VOLUME OUT: every byte that the documents describe is looked at; files go to OUT. Each file is a line
of what its record says. What is not as the documents say ends it with an error.
"""

import io
import os
import struct
import subprocess
import sys
import tarfile
import uuid
import zlib

KEYS = {
    b"pseudotape.farm", b"number", b"capsule", b"title", b"kind", b"state", b"length", b"generation", b"version",
    b"created", b"modified", b"blake3", b"compression", b"stored", b"added_ms", b"why", b"note",
}
ALWAYS = {
    b"pseudotape.farm", b"number", b"capsule", b"title", b"kind", b"state", b"length", b"generation", b"version",
    b"modified", b"added_ms",
}


def expect(is_so, *words):
    if not is_so:
        raise SystemExit("not as the document says: " + " ".join(str(word) for word in words))


def number(data, offset, size):
    return int.from_bytes(data[offset : offset + size], "little")


# BLAKE3, by its specification.
IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
ORDER = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
STEPS = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15), (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]


def rotated(word, by):
    return (word >> by | word << 32 - by) & 0xFFFFFFFF


def compress(chaining, block, length, counter, flags):
    words = list(struct.unpack("<16I", block.ljust(64, b"\0")))
    state = chaining + IV[:4] + [counter & 0xFFFFFFFF, counter >> 32, length, flags]
    for turn in range(7):
        for step, (a, b, c, d) in enumerate(STEPS):
            for word, first, second in ((words[2 * step], 16, 12), (words[2 * step + 1], 8, 7)):
                state[a] = state[a] + state[b] + word & 0xFFFFFFFF
                state[d] = rotated(state[d] ^ state[a], first)
                state[c] = state[c] + state[d] & 0xFFFFFFFF
                state[b] = rotated(state[b] ^ state[c], second)
        words = [words[at] for at in ORDER]
    return [state[at] ^ state[at + 8] for at in range(8)]


def node(data, counter, flags):
    if len(data) <= 1024:
        blocks = [data[at : at + 64] for at in range(0, len(data), 64)] or [b""]
        chaining = IV
        for at, block in enumerate(blocks):
            now = (CHUNK_START if at == 0 else 0) | (CHUNK_END | flags if at == len(blocks) - 1 else 0)
            chaining = compress(chaining, block, len(block), counter, now)
        return chaining
    chunks = (len(data) - 1) // 1024
    left = 1024 << chunks.bit_length() - 1
    both = node(data[:left], counter, 0) + node(data[left:], counter + left // 1024, 0)
    return compress(IV, struct.pack("<16I", *both), 64, 0, PARENT | flags)


def blake3(data):
    return struct.pack("<8I", *node(data, 0, ROOT)).hex()


expect(blake3(b"").startswith("af1349b9f5f9a1a6"), "this BLAKE3 is none")


def records(data):
    """Pax records: length, blank, key, equals sign, value, newline."""
    found = []
    while data:
        length = int(data[: data.index(b" ")])
        expect(data[length - 1 : length] == b"\n", "a record ends with", data[length - 1 : length])
        key, value = data[data.index(b" ") + 1 : length - 1].split(b"=", 1)
        found.append((key, value))
        data = data[length:]
    return found


def tape_files(path):
    """FORMAT.md: the identity and the label of an image, and the blocks of its tape files."""
    with open(path, "rb") as file:
        data = file.read()
    header, copy = data[:128], data[12288:12416]
    expect(header == copy, path, "header and copy")
    expect(header[:8] == b"\x8aTAPE\r\n\x1a", path, "magic")
    expect(number(header, 8, 2) == 1, path, "major")
    expect(header[14:16] == b"\0\1", path, "partition 0 of 1")
    expect(zlib.crc32(header[:124]) == number(header, 124, 4), path, "crc of the header")
    key = header[16:32] + header[14:15]

    def at_offset(offset, part):
        return zlib.crc32(key + struct.pack("<Q", offset) + part)

    slots = []
    for offset in (4096, 8192):
        slot = data[offset : offset + 256]
        if number(slot, 0, 4) == 0x8A5F5354 and at_offset(offset, slot[:252]) == number(slot, 252, 4):
            slots.append(slot)
    expect(slots, path, "a slot that holds")
    slot = max(slots, key=lambda slot: number(slot, 8, 8))
    expect(number(slot, 24, 8) <= len(data), path, "committed_end")
    expect(number(slot, 4, 4) == 0, path, "a volume that is whole and not protected")
    offset, last, objects, payloads, marks = 16384, None, 0, 0, 0
    files = [[]]
    while offset < len(data):
        frame = data[offset : offset + 48]
        expect(number(frame, 0, 4) == 0x8A5F54F5, path, "frame at", offset)
        expect(at_offset(offset, frame[:44]) == number(frame, 44, 4), path, "crc of the frame at", offset)
        kind, form, length = frame[4], frame[6], number(frame, 8, 4)
        payload = data[offset + 48 : offset + 48 + length]
        expect(len(payload) == length and zlib.crc32(payload) == number(frame, 12, 4), path, "payload at", offset)
        expect(number(frame, 16, 8) == objects, path, "object at", offset)
        expect(number(frame, 24, 8) == payloads, path, "payload_before at", offset)
        expect(number(frame, 32, 4) == (0 if last is None else offset - last), path, "back at", offset)
        expect(number(frame, 36, 4) == marks, path, "file at", offset)
        if kind == 1:
            expect(form == 0, path, "form at", offset)
            files[-1].append(payload)
            payloads += length
        elif kind == 2:
            files.append([])
            marks += 1
        else:
            expect((kind, form) in ((5, 0), (5, 1), (5, 2), (6, 2)), path, "kind at", offset)
        if kind in (1, 2):
            objects, last = objects + 1, offset
        if kind == 6:
            expect(number(payload, length - 8, 8) == offset, path, "place of the root")
            expect(offset + 48 + length == len(data), path, "the end of data is last")
        offset += 48 + length
    expect(files.pop() == [], path, "something behind the last filemark")
    label = slot[56:184].rstrip(b"\0").decode()
    return uuid.UUID(bytes=header[16:32]), label, files


def member(archive):
    """The contents of the one member as they stand in an archive; none where it has none."""
    at, size = 0, None
    while archive[at : at + 512].strip(b"\0"):
        header = archive[at : at + 512]
        length = int(header[124:136].rstrip(b"\0 "), 8)
        if header[156:157] == b"x":
            for key, value in records(archive[at + 512 : at + 512 + length]):
                size = int(value) if key == b"size" else size
        else:
            length = size if size is not None else length
            contents = archive[at + 512 : at + 512 + length]
            rest = archive[at + 512 + (length + 511) // 512 * 512 :]
            expect(not rest.strip(b"\0") and len(rest) >= 1024, "behind the member are zeros")
            return contents
        at += 512 + (length + 511) // 512 * 512
    return None


def unpacked(blocks, is_compressed):
    data = b"".join(blocks)
    if is_compressed:
        expect(all(len(block) == 10240 for block in blocks[:-1]) and 0 < len(blocks[-1]) <= 10240, "lengths of blocks")
        done = subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True)
        return done.stdout
    expect(all(len(block) == 10240 for block in blocks), "lengths of blocks")
    return data


def capsule(path, volume, listed, out):
    """Whether the capsule is the one that the directory says; its file goes to OUT."""
    identity, label, files = tape_files(path)
    expect(label == volume, path, "label", label)
    expect(len(files) == 2 and len(files[1]) == 1, path, "two tape files, and one block in the second")
    record = records(files[1][0])
    said = dict(record)
    expect(record[0][0] == b"pseudotape.farm", path, "what the first record says")
    noted = [pair for pair in records(listed) if pair[0] != b"note"]
    expect([pair for pair in record if pair[0] != b"note"] == noted, path, "record and directory")
    expect(ALWAYS <= set(said) <= KEYS, path, "keys", set(said) - KEYS)
    is_compressed = b"compression" in said
    expect(said[b"pseudotape.farm"] == (b"2" if is_compressed else b"1"), path, "version")
    expect(is_compressed == (b"stored" in said), path, "stored")
    expect(uuid.UUID(said[b"capsule"].decode()) == identity, path, "identity")
    expect(said[b"state"] in (b"ok", b"changed", b"missing", b"released"), path, "state")
    expect(said[b"kind"] in (b"file", b"symlink", b"fifo"), path, "kind")
    if is_compressed:
        expect(said[b"compression"] == b"zstd", path, "compression")
        expect(int(said[b"stored"]) == sum(map(len, files[0])), path, "stored")
    archive = unpacked(files[0], is_compressed)
    contents = member(archive)
    has_file = said[b"state"] in (b"ok", b"changed")
    expect(has_file == (contents is not None), path, "a member")
    if has_file:
        expect(blake3(contents) == said[b"blake3"].decode(), path, "digest")
        with tarfile.open(fileobj=io.BytesIO(archive), errors="surrogateescape") as tar:
            (found,) = tar.getmembers()
            expect(os.fsencode(found.name) == said[b"title"], path, "title")
            expect(not found.isfile() or found.size == int(said[b"length"]), path, "length")
            tar.extract(found, out)
    return said


def directory(folder):
    """The records of a directory, each with its place."""
    with open(os.path.join(folder, "FILE000.dir"), "rb") as file:
        data = file.read()
    expect(data[:16] == b"pseudotape farm\n", "magic of the directory")
    version, marks, following, count, length, crc = struct.unpack_from("<IIQQQI", data, 16)
    expect(version == (2 if marks else 1) and not marks & ~3, "version and marks", version, marks)
    expect(len(data) == 64 + length and zlib.crc32(data[64:]) == crc, "what is behind the header")
    expect(data[52:60] == bytes(8) and zlib.crc32(data[:60]) == number(data, 60, 4), "header of the directory")
    found, at = [], 64
    for _ in range(count):
        length = number(data, at, 4)
        found.append((at + 4, data[at + 4 : at + 4 + length]))
        at += 4 + length
    expect(at == len(data), "records fill the directory")
    return data, marks, following, found


def index(folder, data, found):
    """The index leads to every record, in the order of titles."""
    path = os.path.join(folder, ".FILE000.idx")
    expect(os.path.exists(path) == (len(found) >= 4096), "an index of", len(found), "files")
    if len(found) < 4096:
        return 0
    with open(path, "rb") as file:
        head, pages = file.read(128), file.read()
    expect(head[:16] == b"pseudotape index" and struct.unpack_from("<IIQ", head, 16) == (1, 0, len(found)), "its head")
    expect(head[32:96] == data[:64] and head[96:124] == bytes(28), "whose index")
    expect(zlib.crc32(head[:124]) == number(head, 124, 4) and len(pages) % 4096 == 0, "crc of the index")
    places = []
    for page in range(len(pages) // 4096):
        body = pages[page * 4096 : (page + 1) * 4096]
        crc = zlib.crc32(head[124:128] + struct.pack("<Q", page) + body[:4092])
        expect(crc == number(body, 4092, 4), "crc of page", page)
        left = min(255, len(found) - len(places))
        places += [struct.unpack_from("<QII", body, 16 * at) for at in range(left)]
        expect(not body[16 * left : 4092].strip(b"\0"), "zeros fill page", page)
    titles = []
    for offset, length, crc in places:
        record = data[offset : offset + length]
        expect(number(data, offset - 4, 4) == length and zlib.crc32(record) == crc, "a place at", offset)
        titles.append(dict(records(record))[b"title"])
    expect(titles == sorted(titles) and len(set(titles)) == len(found), "the order of titles")
    return len(pages) // 4096


def main(folder, out):
    data, marks, following, found = directory(folder)
    pages = index(folder, data, found)
    volume = os.path.basename(folder)
    where = {name: at for at, _, names in os.walk(folder) for name in names}
    numbers = []
    for _, record in found:
        said = dict(records(record))
        numbers.append(int(said[b"number"]))
        name = "FILE%07d.ptape" % numbers[-1]
        expect(name in where, "no", name)
        expect(marks & 2 or where[name] == folder, name, "lies beside the directory")
        expect(b"compression" not in said or marks & 1, name, "is compressed")
        said = capsule(os.path.join(where[name], name), volume, record, out)
        words = [said[key].decode() for key in (b"number", b"state", b"kind", b"length")]
        print(*words, repr(said[b"title"])[2:-1])
    expect(numbers == sorted(set(numbers)) and all(one < following for one in numbers), "numbers")
    print(f"{len(found)} files, {pages} pages of an index, next number {following}")


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), sys.argv[2])

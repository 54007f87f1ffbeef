#!/usr/bin/env python3
"""Reads test results for tests/run.

testlog.py LOG          one line a test: name, result, seconds (tabs)
testlog.py LOG NAME     what that test printed
testlog.py --junit XML  one line a test: name, 0 or 1 (skipped ones left out)
"""
import json
import sys
import xml.etree.ElementTree as ElementTree


def meson_tests(path):
    with open(path, encoding="utf-8") as log:
        for line in log:
            test = json.loads(line)
            # "socketnet:unit / name" in the log, "name" for people.
            test["name"] = test["name"].split(" / ")[-1]
            yield test


def main(arguments):
    if arguments[0] == "--junit":
        for case in ElementTree.parse(arguments[1]).iter("testcase"):
            kinds = {child.tag for child in case}
            if "skipped" in kinds:
                continue
            bad = bool(kinds & {"failure", "error"})
            print(f"{case.get('name')}\t{int(bad)}")
    elif len(arguments) == 1:
        for test in meson_tests(arguments[0]):
            print(f"{test['name']}\t{test['result']}\t{test['duration']:.1f}")
    else:
        for test in meson_tests(arguments[0]):
            if test["name"] == arguments[1]:
                print(test.get("stdout", ""))
                print(test.get("stderr", ""))


if __name__ == "__main__":
    main(sys.argv[1:])

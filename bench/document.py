#!/usr/bin/env python3
"""document.py FILE: writes a large document of public structure, GeoJSON (RFC 7946), the same bytes each time.

A collection of features as a city's cadastre would give them: points, lines and polygons with properties, some of
them absent, text in several languages, identifiers, coordinates to seven digits.
"""
import json
import random
import sys

FEATURES = 4000
STREETS = ["Hauptstraße", "High Street", "Rue de la Gare", "Calle Mayor", "Kungsgatan", "Herd Lane", "桜通り"]
KINDS = ["building", "address", "highway", "waterway", "landuse"]
SURFACES = ["asphalt", "paved", "gravel", "cobblestone"]


def ring(rng, lon, lat):
    """A closed ring of a few corners."""
    corners = [[round(lon + rng.uniform(-0.001, 0.001), 7), round(lat + rng.uniform(-0.001, 0.001), 7)]
               for _ in range(rng.randint(4, 12))]
    return corners + [corners[0]]


def geometry(rng, kind):
    """A point for an address, a line for what flows, else a polygon."""
    lon, lat = rng.uniform(-10, 30), rng.uniform(36, 70)
    if kind == "address":
        return {"type": "Point", "coordinates": [round(lon, 7), round(lat, 7)]}
    if kind in ("highway", "waterway"):
        return {"type": "LineString", "coordinates": ring(rng, lon, lat)[:-1]}
    return {"type": "Polygon", "coordinates": [ring(rng, lon, lat)]}


def properties(rng, number, kind):
    """What is known of a feature; not all is known of each."""
    known = {"@id": f"way/{rng.randint(10**7, 10**9)}", "kind": kind, "version": rng.randint(1, 40),
             "verified": rng.random() < 0.7, "source": "survey"}
    if kind in ("building", "address"):
        known["addr:street"] = rng.choice(STREETS)
        known["addr:housenumber"] = str(rng.randint(1, 200))
        known["addr:postcode"] = f"{rng.randint(1000, 99999):05d}"
    if kind == "building":
        known["levels"] = rng.randint(1, 30)
        known["height"] = round(rng.uniform(2, 120), 1)
    if kind == "highway":
        known["surface"] = rng.choice(SURFACES)
        known["lanes"] = rng.randint(1, 4)
    if rng.random() < 0.3:
        known["name"] = f"{rng.choice(STREETS)} {number}"
    if rng.random() < 0.1:
        known["note"] = " ".join(rng.choice(["as built", "to be checked", "see plan", "demolished"]) for _ in range(8))
    return known


def document():
    """The whole collection."""
    rng = random.Random(20)
    features = []
    for number in range(FEATURES):
        kind = rng.choice(KINDS)
        features.append({"type": "Feature", "id": number, "geometry": geometry(rng, kind),
                         "properties": properties(rng, number, kind)})
    return {"type": "FeatureCollection", "name": "cadastre", "features": features}


with open(sys.argv[1], "w", encoding="utf-8") as out:
    json.dump(document(), out, ensure_ascii=False, separators=(",", ":"))

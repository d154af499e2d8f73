"""An app that shows the images nearest to a caption."""

import streamlit as st

settings = {
    "read_only": True,
    "config": {"allow_unsigned_extensions": True},
    "preload_extensions": ["'./emm1.duckdb_extension'"],
}
store = st.connection("emm1", type="sql", url="duckdb:///emm1.duckdb", connect_args=settings)
item = st.number_input("Caption", value=7, step=1)
query = "SELECT * FROM nearest('image', embedding('text', :id), k := 5)"
st.dataframe(store.query(query, params={"id": item}))

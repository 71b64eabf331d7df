# The program that the cluster's Alertmanager is, set up as the official image is.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY alertmanager /bin/alertmanager
WORKDIR /alertmanager
RUN mkdir /etc/alertmanager && chown -R nobody /etc/alertmanager /alertmanager
USER nobody
EXPOSE 9093
VOLUME ["/alertmanager"]
ENTRYPOINT ["/bin/alertmanager"]
CMD ["--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"]
